import { AckPolicy, DeliverPolicy, DiscardPolicy, ReplayPolicy, StorageType } from '@nats-io/jetstream'
import { type Msg, nanos, type Subscription } from '@nats-io/nats-core'
import type { Timer } from '@posthaste/contracts'
import { Awaited } from './awaited.ts'
import { type ServerHeaders, serverHeaders } from './codec.ts'
import { apiCodes, errorFrom, isApiError } from './errors.ts'
import { handOverOf } from './incoming.ts'
import type { Link } from './link.ts'
import type { BucketNames } from './names.ts'
import { publishBytes } from './publisher.ts'

/** A key as it was last seen. */
export interface Entry {
  /** Undefined where the key was deleted. */
  readonly value: string | undefined
  readonly revision: number
  /** When this process saw it change, on the monotonic clock. */
  readonly seenAtMs: number
  /** When it was stored, by the server's clock; undefined where the answer to a write told of it first. */
  readonly storedAtMs?: number | undefined
}

const absent: Entry = { value: undefined, revision: 0, seenAtMs: Number.NEGATIVE_INFINITY }

/** How often the server says that nothing has happened, in milliseconds. */
const heartbeatMs = 1_000

/** So many of them may fail to come. */
const missedMax = 3

/** Before a bucket that could not be watched is watched again, in milliseconds. */
const retryMs = 100

/** Marks of deleted keys stay until whoever watches has seen them, in milliseconds: longer than a watcher may hear nothing. */
const markMs = 4 * missedMax * heartbeatMs

/** Messages that a key of a {@link Bucket} may stand for, the most that buckets may have: a limit that nothing is to reach. */
const historyMax = 64

/**
 * Has what is written replace what stands under its key, instead of leaving that to the limit of the stream: a server that
 * was killed has forgotten what the limit removed, since that is no record in its files. Where the last message of a key,
 * the mark of its deletion, was removed as well, 2.12 brings the one before it back.
 */
const replacing: ServerHeaders[number] = ['Nats-Rollup', 'sub']

const decoder = new TextDecoder()
const encoder = new TextEncoder()

/** Makes the stream of a key-value bucket, as other clients of NATS know them. @see ADR-8 of NATS */
export async function makeBucket(link: Link, { stream, subject }: BucketNames, history = 1): Promise<void> {
  const config = {
    name: stream,
    subjects: [`${subject}>`],
    max_msgs_per_subject: history,
    storage: StorageType.File,
    num_replicas: link.settings.replicas,
    discard: DiscardPolicy.New,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
  }
  try {
    await link.admin(`bucket ${stream}`, async ({ streams }) => {
      try {
        await streams.add(config)
      } catch (thrown) {
        if (!isApiError(thrown, apiCodes.streamNameInUse)) throw thrown
        // One whose keys stand for one message at most, as they did before.
        await streams.update(stream, { max_msgs_per_subject: history })
        await streams.add(config)
      }
    })
  } catch (thrown) {
    throw errorFrom(thrown, `bucket ${stream}`)
  }
}

/** A key, as its stream knows it. */
export interface KeyPlace {
  readonly stream: string
  /** The subject of this key alone. */
  readonly subject: string
}

/** What is to stand under a key, in place of what. */
export interface KeyChange {
  /** Undefined deletes the key. */
  readonly value: string | undefined
  readonly revision: number
}

/** What stands under a key, and whether we have written it. */
export interface KeyWritten extends KeyChange {
  readonly isWritten: boolean
}

/**
 * Writes where nobody else has written since the revision.
 * @throws UNAVAILABLE ENGINE_CLOSED
 */
export async function writeOver(link: Link, place: KeyPlace, { value, revision }: KeyChange): Promise<KeyWritten> {
  const headers: ServerHeaders = [
    replacing,
    ['Nats-Expected-Last-Subject-Sequence', String(revision)],
    ...(value === undefined ? ([['KV-Operation', 'DEL']] as const) : []),
  ]
  const body = encoder.encode(value ?? '')
  const answer = await publishBytes(link, { subject: place.subject, body, headers: serverHeaders(headers) })
  if (answer.error === undefined) return { isWritten: true, value, revision: answer.seq ?? 0 }
  // Sent twice over an outage, the second time contradicts the first.
  const found = await valueAt(link, place)
  return { ...found, isWritten: found.value === value && found.revision > revision }
}

/**
 * What stands under a key; revision 0 where nothing ever did, or it was swept away.
 * @throws UNAVAILABLE ENGINE_CLOSED
 */
export async function valueAt(link: Link, { stream, subject }: KeyPlace): Promise<KeyChange> {
  const found = await link.find(`key ${subject}`, (manager) =>
    manager.streams.getMessage(stream, { last_by_subj: subject }),
  )
  if (found == null) return { value: undefined, revision: 0 }
  return { value: found.data.length === 0 ? undefined : decoder.decode(found.data), revision: found.seq }
}

/** How a bucket is watched. */
export interface BucketSpec {
  readonly onChange: (key: string) => void
  /** How long the marks of deleted keys stay, in milliseconds. */
  readonly markMs?: number
}

/** A key-value bucket, watched as a whole; its changes are told as they come. */
export class Bucket {
  readonly #link: Link
  readonly #names: BucketNames
  readonly #entries = new Map<string, Entry>()
  readonly #onChange: (key: string) => void
  readonly #markMs: number
  #isOpen = false
  #sweeping = false
  #subscription: Subscription | undefined
  #timer: Timer | undefined
  #heardAtMs = 0
  #closed = false
  readonly #unlisten: () => void

  constructor(link: Link, names: BucketNames, { onChange, markMs: keptMs = markMs }: BucketSpec) {
    this.#link = link
    this.#names = names
    this.#onChange = onChange
    this.#markMs = keptMs
    this.#unlisten = link.listen({ onLost: () => {}, onConnected: () => void this.#rewatch() })
  }

  /**
   * Resolves when everything that stands in it is known.
   * @throws UNAVAILABLE ENGINE_CLOSED
   */
  async open(): Promise<void> {
    await makeBucket(this.#link, this.#names, historyMax)
    const { clock } = this.#link.host
    const deadlineMs = clock.monotonicMs() + this.#link.settings.timeoutMs
    while (!this.#isOpen) {
      try {
        await this.#watch()
        this.#isOpen = true
      } catch (thrown) {
        if (this.#closed || this.#link.closed || clock.monotonicMs() >= deadlineMs) throw errorFrom(thrown, 'watch')
        await this.#link.sleep(retryMs)
      }
    }
  }

  get(key: string): Entry {
    return this.#entries.get(key) ?? absent
  }

  /** Keys that begin so and have a value. */
  *keys(start: string): Generator<readonly [key: string, entry: Entry & { readonly value: string }]> {
    for (const [key, entry] of this.#entries) {
      const { value } = entry
      if (value !== undefined && key.startsWith(start)) yield [key, { ...entry, value }]
    }
  }

  /**
   * Writes where nobody else has written since `revision`; undefined deletes the key.
   * @returns the new revision; undefined when somebody has
   * @throws UNAVAILABLE ENGINE_CLOSED
   */
  async write(key: string, value: string | undefined, revision: number): Promise<number | undefined> {
    const { stream, subject } = this.#names
    const found = await writeOver(this.#link, { stream, subject: subject + key }, { value, revision })
    if (found.revision > 0) this.#learn(key, found)
    return found.isWritten ? found.revision : undefined
  }

  close(): void {
    this.#closed = true
    this.#unlisten()
    this.#timer?.cancel()
    this.#subscription?.unsubscribe()
  }

  /** After an outage nobody is known to be silent: everything counts as seen now. */
  #forgive(): void {
    const seenAtMs = this.#link.host.clock.monotonicMs()
    for (const [key, entry] of this.#entries) this.#entries.set(key, { ...entry, seenAtMs })
  }

  async #watch(): Promise<void> {
    const { stream, subject } = this.#names
    this.#subscription?.unsubscribe()
    const inbox = this.#link.inbox()
    let expected = Number.POSITIVE_INFINITY
    const found = new Map<string, number>()
    let received = 0
    const initial = new Awaited(this.#link)
    this.#subscription = this.#link.connection.subscribe(inbox, {
      callback: (_error, message) => {
        this.#heardAtMs = this.#link.host.clock.monotonicMs()
        if (!message.subject.startsWith(subject)) {
          // A heartbeat: what has not come by then was removed meanwhile.
          if (expected !== Number.POSITIVE_INFINITY) initial.complete()
          return
        }
        const { key, revision } = this.#take(message)
        received += 1
        if (received <= expected) found.set(key, revision)
        if (received >= expected) initial.complete()
      },
    })
    try {
      const info = await this.#link.admin(`bucket ${stream}`, (manager) =>
        manager.consumers.add(stream, {
          deliver_subject: inbox,
          deliver_policy: DeliverPolicy.LastPerSubject,
          ack_policy: AckPolicy.None,
          replay_policy: ReplayPolicy.Instant,
          filter_subject: `${subject}>`,
          idle_heartbeat: nanos(heartbeatMs),
          inactive_threshold: nanos(60_000),
          mem_storage: true,
        }),
      )
      this.#heardAtMs = this.#link.host.clock.monotonicMs()
      expected = info.num_pending + (info.delivered?.consumer_seq ?? 0)
      if (received < expected) await initial.done
    } finally {
      initial.end()
    }
    this.#forgetBut(found)
    this.#listenOn()
  }

  #listenOn(): void {
    if (this.#closed) return
    const { clock } = this.#link.host
    this.#timer?.cancel()
    this.#timer = clock.setTimer(heartbeatMs, () => {
      const silentMs = clock.monotonicMs() - this.#heardAtMs
      if (silentMs > missedMax * heartbeatMs && this.#link.connected) {
        void this.#rewatch()
        return
      }
      void this.#sweep()
      this.#listenOn()
    })
  }

  async #rewatch(): Promise<void> {
    if (this.#closed || !this.#isOpen) return
    try {
      await this.#watch()
      this.#forgive()
    } catch (thrown) {
      if (this.#closed || this.#link.closed) return
      this.#link.host.log.warn('the members of groups cannot be watched', { error: errorFrom(thrown, 'watch').message })
      this.#listenOn()
    }
  }

  /** What does not stand there any more was deleted while nobody looked, and its mark is gone by now. */
  #forgetBut(found: ReadonlyMap<string, number>): void {
    const newest = Math.max(0, ...found.values())
    for (const [key, { value, revision }] of [...this.#entries]) {
      if (found.has(key) || revision > newest) continue
      this.#entries.delete(key)
      if (value !== undefined) this.#onChange(key)
    }
  }

  /** Removes the marks of keys that were deleted a while ago, unless something newer stands there. */
  async #sweep(): Promise<void> {
    if (this.#sweeping || !this.#link.connected) return
    this.#sweeping = true
    const { stream, subject } = this.#names
    const borderMs = this.#link.host.clock.monotonicMs() - this.#markMs
    try {
      for (const [key, { value, revision, seenAtMs }] of [...this.#entries]) {
        if (value !== undefined || seenAtMs > borderMs || this.#closed) continue
        const filter = subject + key
        await this.#link.admin('marks', (manager) => manager.streams.purge(stream, { filter, seq: revision + 1 }))
        if (this.get(key).revision === revision) this.#entries.delete(key)
      }
    } catch (thrown) {
      if (this.#closed || this.#link.closed) return
      this.#link.host.log.debug('marks of deleted keys are not swept', { error: errorFrom(thrown, 'sweep').message })
    } finally {
      this.#sweeping = false
    }
  }

  #take(message: Msg): { readonly key: string; readonly revision: number } {
    const key = message.subject.slice(this.#names.subject.length)
    const isDeleted = message.data.length === 0
    const { seq: revision, storedAtMs } = handOverOf(message.reply ?? '')
    const value = isDeleted ? undefined : decoder.decode(message.data)
    this.#learn(key, { value, revision }, storedAtMs)
    return { key, revision }
  }

  #learn(key: string, { value, revision }: KeyChange, storedAtMs?: number): void {
    if (this.get(key).revision >= revision) return
    this.#entries.set(key, { value, revision, storedAtMs, seenAtMs: this.#link.host.clock.monotonicMs() })
    this.#onChange(key)
  }
}
