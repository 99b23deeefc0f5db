import type { JetStreamManager } from '@nats-io/jetstream'
import { headers as emptyHeaders, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/nats-core'
import { PosthasteError } from '@posthaste/contracts'
import { silentLog } from 'posthaste/pipeline'
import { type ManualClock, manualClock } from 'posthaste/testing'
import type { EncodedHeaders } from '../src/codec.ts'
import type { PubAnswer } from '../src/errors.ts'
import type { Link, LinkListener } from '../src/link.ts'
import type { Command } from '../src/pipeline.ts'

interface Stored {
  readonly seq: number
  readonly storedAtMs: number
  readonly data: Uint8Array
  readonly header: MsgHdrs
}

const wrongLastSequence = 10071

/** A connection to a server that keeps one key-value bucket and nothing else; the test breaks it between two steps. */
export class FakeBucket {
  readonly clock: ManualClock = manualClock()
  /** What the engine's parts take for their connection. */
  readonly link: Link
  /** The answer to the next write of this key gets lost: it is stored, and fails. */
  answerToLose: string | undefined
  /** What happens before the next message is read. */
  beforeReading: (() => Promise<void>) | undefined
  /** Writes are kept back, and stored when it ends. */
  isSlow = false
  readonly #stored = new Map<string, Stored>()
  readonly #listeners = new Set<LinkListener>()
  readonly #watchers = new Map<string, (error: null, message: Msg) => void>()
  #waiting: Command[] = []
  #seq = 0
  #inboxes = 0

  constructor(leaseMs: number) {
    const link = {
      host: { clock: this.clock, log: silentLog, instance: 'fake', random: () => 0.5, onState: () => {} },
      settings: { leaseMs, timeoutMs: 60_000, replicas: 1 },
      connected: true,
      closed: false,
      connection: {
        subscribe: (inbox: string, { callback }: { callback: (error: null, message: Msg) => void }) => {
          this.#watchers.set(inbox, callback)
          return { unsubscribe: () => void this.#watchers.delete(inbox) }
        },
      },
      pipeline: { send: (command: Command) => this.#send(command) },
      inbox: () => `_INBOX.i${++this.#inboxes}`,
      listen: (listener: LinkListener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      admin: <T>(_what: string, work: (manager: JetStreamManager) => Promise<T>) => work(this.#manager()),
      find: <T>(_what: string, work: (manager: JetStreamManager) => Promise<T>) => work(this.#manager()),
      sleep: (ms: number) => new Promise<void>((resolve) => void this.clock.setTimer(ms, resolve)),
    }
    this.link = link as unknown as Link
  }

  /** What stands under a key; undefined where nothing does. */
  value(key: string): string | undefined {
    for (const [subject, { data }] of this.#stored) {
      if (keyOf(subject) === key && data.length > 0) return new TextDecoder().decode(data)
    }
    return undefined
  }

  /** Keys that begin so and have a value. */
  keys(start: string): readonly string[] {
    const keys = [...this.#stored].filter(([, { data }]) => data.length > 0).map(([subject]) => keyOf(subject))
    return keys.filter((key) => key.startsWith(start))
  }

  /** Something stands there again. */
  bringBack(key: string, value: string): void {
    for (const subject of this.#stored.keys()) {
      if (keyOf(subject) === key) this.#store(subject, new TextEncoder().encode(value))
    }
  }

  /** Another process deletes a key. */
  delete(key: string): void {
    for (const subject of this.#stored.keys()) if (keyOf(subject) === key) this.#store(subject, new Uint8Array())
  }

  lose(): void {
    Object.assign(this.link, { connected: false })
    for (const listener of [...this.#listeners]) listener.onLost()
  }

  /** The connection is back; what waited for it is sent first. */
  restore(): void {
    Object.assign(this.link, { connected: true })
    if (!this.isSlow) this.flush()
    for (const listener of [...this.#listeners]) listener.onConnected()
  }

  /** Stores what was kept back. */
  flush(): void {
    for (const command of this.#waiting.splice(0)) this.#perform(command)
  }

  #send(command: Command): void {
    if (this.link.connected && !this.isSlow) this.#perform(command)
    else this.#waiting.push(command)
  }

  #perform(command: Command): void {
    const publish = (subject: string, data: Uint8Array, { headers }: { headers: EncodedHeaders }): void => {
      const text = new TextDecoder().decode(headers.encode())
      const expected = Number(/Nats-Expected-Last-Subject-Sequence: (\d+)/.exec(text)?.[1])
      const answer = this.#write(subject, { data, header: headersIn(text), expected })
      const isLost = keyOf(subject) === this.answerToLose
      if (isLost) this.answerToLose = undefined
      queueMicrotask(() => {
        if (isLost) command.failed(new PosthasteError('UNAVAILABLE', 'the answer is lost'))
        else command.answered({ json: () => answer } as unknown as Msg)
      })
    }
    command.send({ publish } as unknown as NatsConnection, 'reply')
  }

  /** What expects nothing is stored whatever stands there. */
  #write(subject: string, { data, header, expected }: Written): PubAnswer {
    if (!Number.isNaN(expected) && (this.#stored.get(subject)?.seq ?? 0) !== expected) {
      return { error: { code: 400, err_code: wrongLastSequence, description: 'wrong last sequence' } }
    }
    return { seq: this.#store(subject, data, header) }
  }

  #store(subject: string, data: Uint8Array, header = emptyHeaders()): number {
    this.#seq += 1
    this.#stored.set(subject, { seq: this.#seq, storedAtMs: Math.floor(this.clock.nowMs()), data, header })
    if (this.link.connected) for (const inbox of this.#watchers.keys()) this.#tell(inbox, subject)
    return this.#seq
  }

  #tell(inbox: string, subject: string): void {
    const { seq, storedAtMs, data } = this.#stored.get(subject) as Stored
    const message = { subject, data, reply: `$JS.ACK.stream.consumer.1.${seq}.1.${storedAtMs}000000.0` }
    queueMicrotask(() => this.#watchers.get(inbox)?.(null, message as unknown as Msg))
  }

  #manager(): JetStreamManager {
    const streams = {
      add: async () => {},
      purge: async () => {},
      info: async (_stream: string, { subjects_filter }: { subjects_filter: string }) => {
        const start = subjects_filter.replace(/\*.*$/, '')
        const subjects = [...this.#stored.keys()].filter((subject) => subject.startsWith(start))
        return { state: { subjects: Object.fromEntries(subjects.map((subject) => [subject, 1])) } }
      },
      getMessage: async (_stream: string, { last_by_subj }: { last_by_subj: string }) => {
        const before = this.beforeReading
        this.beforeReading = undefined
        await before?.()
        return this.#stored.get(last_by_subj) ?? null
      },
    }
    const add = async (_stream: string, { deliver_subject }: { deliver_subject: string }) => {
      for (const subject of this.#stored.keys()) this.#tell(deliver_subject, subject)
      return { num_pending: this.#stored.size }
    }
    const consumers = { add }
    // Another server of the cluster, which knows of nothing yet.
    const direct = { getMessage: async () => null }
    return { streams, consumers, direct } as unknown as JetStreamManager
  }
}

interface Written {
  readonly data: Uint8Array
  readonly header: MsgHdrs
  readonly expected: number
}

/** Headers as they are sent, behind the line that names the protocol. */
function headersIn(text: string): MsgHdrs {
  const headers = emptyHeaders()
  for (const line of text.split('\r\n').slice(1)) {
    const [name = '', ...value] = line.split(': ')
    if (name !== '') headers.append(name, value.join(': '))
  }
  return headers
}

/** The subjects of a bucket begin with `$KV.<bucket>.`. */
function keyOf(subject: string): string {
  return subject.split('.').slice(2).join('.')
}
