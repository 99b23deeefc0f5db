import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import {
  type ErrorCode,
  keyRangeOf,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  succeeded,
} from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { type EncodedHeaders, type Internals, RecordEncoder, type ServerHeaders } from './codec.ts'
import { errorFrom, failed, isRefusal, type PubAnswer, refusalOf } from './errors.ts'
import { headerWireBytesMax, keyBytesMax } from './features.ts'
import type { Later } from './later.ts'
import type { Link } from './link.ts'
import type { Command } from './pipeline.ts'
import type { TopologyKeeper } from './topology.ts'

/** What is published beside the record itself. */
export interface Additions {
  readonly internals?: Internals | undefined
  readonly server?: ServerHeaders | undefined
}

/** What a {@link Publisher} needs. */
export interface PublisherSurroundings {
  readonly link: Link
  readonly topology: TopologyKeeper
  readonly later: Later
  readonly bodyBytesMax: number
  readonly headerBytesMax: number
}

/** Stores records in the streams of their channels. */
export class Publisher {
  readonly #surroundings: PublisherSurroundings
  readonly #encoder = new RecordEncoder()
  /** Set while some publication waits to learn of its channel: later ones wait behind it. */
  #learning: Promise<void> | undefined

  constructor(surroundings: PublisherSurroundings) {
    this.#surroundings = surroundings
  }

  publish(records: readonly OutgoingRecord[], additions?: readonly Additions[]): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      const batch = new Batch(records.length, resolve)
      if (this.#learning === undefined && records.every((record) => this.#isKnown(record))) {
        this.#send(records, batch, additions)
        return
      }
      const before = this.#learning ?? Promise.resolve()
      const learning = before.then(() => this.#learn(records)).then(() => this.#send(records, batch, additions))
      this.#learning = learning
      void learning.finally(() => {
        if (this.#learning === learning) this.#learning = undefined
      })
    })
  }

  #isKnown({ channel, group }: OutgoingRecord): boolean {
    const known = this.#surroundings.topology.known(channel)
    return known !== undefined && (group === undefined || known.groups.has(group))
  }

  /** Afterwards what is not known does not exist, or could not be asked for. */
  async #learn(records: readonly OutgoingRecord[]): Promise<void> {
    const { topology } = this.#surroundings
    for (const record of records) {
      if (this.#isKnown(record)) continue
      const channel = await topology.find(record.channel).catch(() => undefined)
      if (channel === undefined || record.group === undefined) continue
      await topology.findGroup(channel, record.group).catch(() => undefined)
    }
  }

  #send(records: readonly OutgoingRecord[], batch: Batch, additions: readonly Additions[] | undefined): void {
    for (let at = 0; at < records.length; at += 1) {
      const record = records[at] as OutgoingRecord
      try {
        this.#sendOne(record, { batch, at }, additions?.[at])
      } catch (thrown) {
        batch.set(at, failed(errorFrom(thrown, `record ${record.id} for ${record.channel}`)))
      }
    }
    if (records.length === 0) batch.finish()
  }

  #sendOne(record: OutgoingRecord, { batch, at }: Place, additions: Additions | undefined): void {
    const { topology, link, later } = this.#surroundings
    const channel = topology.known(record.channel)
    this.#check(record, channel)
    const { keyRanges, names, spec } = channel as Channel
    const range = keyRanges === 0 ? undefined : keyRangeOf(record.key ?? record.id, keyRanges)
    const subject = names.subject(record.group, range)
    let { server } = additions ?? {}
    if (spec.deduplicateForMs !== undefined && record.group === undefined && server === undefined) {
      server = [['Nats-Msg-Id', encodeURIComponent(record.id)]]
    }
    const { dueAtMs } = record
    const delayed =
      dueAtMs !== undefined && dueAtMs > link.host.clock.nowMs()
        ? later.delay({
            channel: channel as Channel,
            record,
            range,
            target: subject,
            dueAtMs,
            isRelease: additions?.internals !== undefined,
          })
        : undefined
    if (delayed !== undefined) server = [...(server ?? []), ...delayed.headers]
    const headers = this.#encoder.headersOf(record, additions?.internals, server)
    if (headers.byteLength > headerWireBytesMax) throw refuse(record, 'INVALID_ARGUMENT', 'its headers are too large')
    const message = { subject: delayed?.subject ?? subject, headers, body: record.body }
    link.pipeline.send(new Publication(message, batch, at))
  }

  #check(record: OutgoingRecord, channel: Channel | undefined): void {
    const { group, key, body, priority = 0 } = record
    if (channel === undefined) throw refuse(record, 'NOT_FOUND', 'the channel is not declared')
    if (group !== undefined && !channel.groups.has(group)) {
      throw refuse(record, 'NOT_FOUND', `the group ${group} is not declared`)
    }
    const limit = this.#surroundings.bodyBytesMax
    if (body.byteLength > limit) {
      throw refuse(record, 'BODY_TOO_LARGE', `the body has ${body.byteLength} bytes, the limit is ${limit}`)
    }
    if (key !== undefined && key.length * bytesPerUnit > keyBytesMax && Buffer.byteLength(key) > keyBytesMax) {
      throw refuse(record, 'INVALID_ARGUMENT', `the key is longer than ${keyBytesMax} bytes`)
    }
    const { headerBytesMax } = this.#surroundings
    if (headerBytesAtMost(record, headerBytesMax) > headerBytesMax) {
      throw refuse(record, 'INVALID_ARGUMENT', `the headers have more than ${headerBytesMax} bytes`)
    }
    if (!Number.isInteger(priority) || priority < 0) {
      throw refuse(record, 'INVALID_ARGUMENT', `priority ${priority} is not 0 or a whole number above`)
    }
  }
}

/** UTF-16 code units become at most three bytes each. */
const bytesPerUnit = 3

/** An upper bound where that is within the limit, which spares encoding; the exact size elsewhere. */
function headerBytesAtMost({ headers }: OutgoingRecord, limit: number): number {
  let units = 0
  for (const name in headers) units += name.length + (headers[name] as string).length
  if (units * bytesPerUnit <= limit) return units * bytesPerUnit
  return Buffer.byteLength(Object.entries(headers).flat().join(''))
}

function refuse({ id, channel }: OutgoingRecord, code: ErrorCode, what: string): PosthasteError {
  return new PosthasteError(code, `record ${id} for ${channel}: ${what}`)
}

interface Place {
  readonly batch: Batch
  readonly at: number
}

/** The outcomes of one call. */
class Batch {
  readonly #outcomes: Outcome[]
  readonly #resolve: (outcomes: readonly Outcome[]) => void
  #missing: number

  constructor(size: number, resolve: (outcomes: readonly Outcome[]) => void) {
    this.#outcomes = new Array<Outcome>(size).fill(succeeded)
    this.#missing = size
    this.#resolve = resolve
  }

  set(at: number, outcome: Outcome): void {
    if (outcome !== succeeded) this.#outcomes[at] = outcome
    this.#missing -= 1
    if (this.#missing === 0) this.finish()
  }

  finish(): void {
    this.#resolve(this.#outcomes)
  }
}

interface Message {
  readonly subject: string
  readonly headers: EncodedHeaders
  readonly body: Uint8Array
}

class Publication implements Command {
  readonly #message: Message
  readonly #batch: Batch
  readonly #at: number

  constructor(message: Message, batch: Batch, at: number) {
    this.#message = message
    this.#batch = batch
    this.#at = at
  }

  send(connection: NatsConnection, reply: string): void {
    const { subject, body, headers } = this.#message
    connection.publish(subject, body, { reply, headers: headers.asHeaders() })
  }

  answered(answer: Msg): void {
    if (!isRefusal(answer.data)) this.#batch.set(this.#at, succeeded)
    else this.#batch.set(this.#at, failed(refusalOf(answer, `publish to ${this.#message.subject}`)))
  }

  failed(error: PosthasteError): void {
    this.#batch.set(this.#at, failed(error))
  }
}

/** A message that is no record. */
export interface PlainMessage {
  readonly subject: string
  readonly body: Uint8Array
  readonly headers: MsgHdrs
}

/** Publishes one message and resolves with what the stream answers, a refusal included. */
export function publishBytes(link: Link, { subject, body, headers }: PlainMessage): Promise<PubAnswer> {
  return new Promise((resolve, reject) => {
    link.pipeline.send({
      send: (connection, reply) => connection.publish(subject, body, { reply, headers }),
      answered: (answer) => resolve(answer.json<PubAnswer>()),
      failed: reject,
    })
  })
}
