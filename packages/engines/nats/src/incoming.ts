import type { Msg } from '@nats-io/nats-core'
import type { Delivery, OutgoingRecord } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { type Decoded, decode, type Internals, RecordDecoder } from './codec.ts'
import { nameOf } from './names.ts'
import type { ServerTime } from './time.ts'

/** What a server says of one hand-over. */
export interface HandOver {
  /** The record's number in its stream. */
  readonly seq: number
  /** Which hand-over of this record it is, 1 the first time. */
  readonly count: number
  /** When the message was stored, by the server's clock, in milliseconds since the epoch. */
  readonly storedAtMs: number
}

const nanosPerMilli = 1_000_000

/**
 * Reads the subject that a delivery is acknowledged on.
 * @see https://github.com/nats-io/nats-architecture-and-design/blob/main/adr/ADR-15.md
 */
export function handOverOf(ackSubject: string): HandOver {
  const tokens = ackSubject.split('.')
  // With a domain and an account there are two more in front.
  const first = tokens.length > 9 ? 4 : 2
  return {
    count: Number(tokens[first + 2]),
    seq: Number(tokens[first + 3]),
    storedAtMs: Math.floor(Number(tokens[first + 5]) / nanosPerMilli),
  }
}

/** Digits of a position, so that as text positions compare like numbers. */
const positionDigits = 16

export function positionOf(seq: number): string {
  return String(seq).padStart(positionDigits, '0')
}

/** The number of a record; undefined where the text is no position of this engine. */
export function seqOf(position: string): number | undefined {
  return /^\d{16}$/.test(position) ? Number(position) : undefined
}

/** Whom a message is for, by its subject: one group, or all. */
export function groupOf(subject: string): string | undefined {
  const to = subject.split('.')[2] ?? ''
  return to.startsWith('@') ? nameOf(to.slice(1)) : undefined
}

const decoder = new RecordDecoder()

/** A record with what the engine keeps beside it. */
export function recordOf(message: Pick<Msg, 'subject' | 'headers' | 'data'>, channel: Channel, seq: number): Decoded {
  const { name } = channel.spec
  const place = { channel: name, group: groupOf(message.subject), fallbackId: `nats-${name}-${seq}` }
  const wire = wireHeadersOf(message)
  return wire === undefined ? decode(message.headers, message.data, place) : decoder.decode(wire, message.data, place)
}

/** How the client keeps a message that it has not parsed the headers of. */
interface Unparsed {
  readonly _msg?: { readonly hdr?: number }
  readonly _rdata?: Uint8Array
}

/**
 * Headers as they were on the wire: the client's own reading of them costs more than everything else about a delivery.
 * Undefined where there are none, or a version of the client keeps them elsewhere.
 */
function wireHeadersOf(message: object): string | undefined {
  const { _msg, _rdata } = message as Unparsed
  const length = _msg?.hdr ?? -1
  if (length <= 0 || _rdata === undefined) return undefined
  return Buffer.from(_rdata.buffer, _rdata.byteOffset, length).toString('latin1')
}

/** What is needed to make deliveries of messages. */
export interface IncomingContext {
  readonly channel: Channel
  readonly time: ServerTime
  readonly range?: string | undefined
  /** Until when it is ours, on the monotonic clock. */
  readonly deadlineMs: number
  /** Attempts that ended here, beyond what the message tells. */
  readonly releases?: number | undefined
}

/** A message that was handed to us, as the core sees it. */
export class Incoming implements Delivery {
  readonly tag: number
  readonly record: OutgoingRecord
  readonly internals: Internals
  readonly attempt: number
  readonly vanished: number
  readonly storedAtMs: number
  readonly position: string
  readonly range: string | undefined
  readonly seq: number
  /** Whether it stands in the stream for this group alone. */
  readonly isAddressed: boolean
  /** Where it is acknowledged. */
  readonly reply: string
  /** Until when it is ours, on the monotonic clock. */
  deadlineMs: number
  /** Whether a settlement is under way. */
  isSettling = false

  constructor(message: Msg, tag: number, context: IncomingContext) {
    const { channel, time, range, deadlineMs, releases = 0 } = context
    const reply = message.reply ?? ''
    const { seq, count, storedAtMs } = handOverOf(reply)
    const { record, internals } = recordOf(message, channel, seq)
    this.tag = tag
    this.record = record
    this.internals = internals
    this.attempt = (internals.attempts ?? 0) + count + releases
    this.vanished = (internals.vanished ?? 0) + count - 1
    this.storedAtMs = time.toOurs(internals.storedAtMs ?? storedAtMs)
    this.position = positionOf(seq)
    this.range = range
    this.seq = seq
    this.isAddressed = groupOf(message.subject) !== undefined
    this.reply = reply
    this.deadlineMs = deadlineMs
  }
}
