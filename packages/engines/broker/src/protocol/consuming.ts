import type { Delivery, DeliveryTag, OutgoingRecord, Settlement } from '@posthaste/contracts'
import { malformed, type Reader } from './reader.ts'
import { RecordReader, RecordWriter } from './record-codec.ts'
import type { Writer } from './writer.ts'

/*
 * The stream `posthaste.broker/subscribe`. The client's first message says which group it joins, or which subscription of its
 * session it goes on with (JSON); after it, both sides send messages whose first byte says what they are.
 */

/** What a client begins the stream with. */
export interface SubscribeBeginning {
  readonly session: string
  /** Names the subscription within its session. */
  readonly subscription: number
  readonly channel: string
  readonly group: string
  readonly member: string
  /** Deliveries that may come. */
  readonly credit: number
  /** There if it goes on: tags of what the client has and has not settled, or not heard so, as runs `[first, count]`. */
  readonly holding?: readonly (readonly [first: number, count: number])[] | undefined
}

/** What a client says. */
export const fromClient = { grant: 1, settle: 2, stop: 3 } as const
/** What the broker says. */
export const fromBroker = { joined: 1, deliver: 2, settled: 3, closed: 4, recall: 5, stopped: 6 } as const

const hasAttempt = 1
const sameTime = 2
const nextPosition = 4

const ack = 0
const ackAndPublish = 1
const release = 2
const counts = 4
const hasTime = 8
const holdsKey = 16
const isNext = 32

// ── Deliveries ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** A position that is a number of fifteen digits travels as the number. */
const digits = 15
/** Has no number next to it. */
const unknownPosition = -2

function numberOf(position: string): number {
  if (position.length !== digits) return -1
  let number = 0
  for (let at = 0; at < digits; at++) {
    const digit = position.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return -1
    number = number * 10 + digit
  }
  return number
}

/** Writes deliveries whose tags follow each other. */
export class DeliveryWriter {
  readonly #writer: Writer
  readonly #records: RecordWriter
  readonly #channel: string
  #storedAtMs = 0
  #position = unknownPosition

  constructor(writer: Writer, channel: string) {
    this.#writer = writer
    this.#channel = channel
    this.#records = new RecordWriter(writer, channel)
  }

  begin(first: DeliveryTag): void {
    this.#records.reset(this.#channel)
    this.#storedAtMs = 0
    this.#position = unknownPosition
    this.#writer.byte(fromBroker.deliver)
    this.#writer.varint(first)
  }

  add({ attempt, storedAtMs, position, record }: Delivery): void {
    const writer = this.#writer
    const number = numberOf(position)
    const isNextPosition = number >= 0 && number === this.#position + 1
    const isSameTime = storedAtMs === this.#storedAtMs
    writer.byte((attempt > 1 ? hasAttempt : 0) | (isSameTime ? sameTime : 0) | (isNextPosition ? nextPosition : 0))
    if (attempt > 1) writer.varint(attempt)
    if (!isSameTime) writer.double(storedAtMs)
    if (!isNextPosition) {
      writer.byte(number >= 0 ? 0 : 1)
      if (number >= 0) writer.varint(number)
      else writer.sizedText(position)
    }
    this.#storedAtMs = storedAtMs
    this.#position = number >= 0 ? number : unknownPosition
    this.#records.write(record)
  }
}

/** A delivery as it was told; its position is made when it is asked for. */
export class ReceivedDelivery implements Delivery {
  readonly tag: DeliveryTag
  readonly record: OutgoingRecord
  readonly attempt: number
  readonly storedAtMs: number
  readonly #position: number | string

  constructor(
    tag: DeliveryTag,
    record: OutgoingRecord,
    told: { readonly attempt: number; readonly storedAtMs: number; readonly position: number | string },
  ) {
    this.tag = tag
    this.record = record
    this.attempt = told.attempt
    this.storedAtMs = told.storedAtMs
    this.#position = told.position
  }

  get position(): string {
    return typeof this.#position === 'string' ? this.#position : this.#position.toString().padStart(digits, '0')
  }
}

/** How a client sees what it is told: its own tags, its own clock. */
export interface DeliveryView {
  readonly channel: string
  /** Added to each tag. */
  readonly tagBase: number
  /** Added to each time, in milliseconds. */
  readonly shiftMs: number
}

/** Reads deliveries, behind the byte that says so. */
export function readDeliveries(reader: Reader, { channel, tagBase, shiftMs }: DeliveryView): Delivery[] {
  const deliveries: Delivery[] = []
  const records = new RecordReader(reader, channel)
  let tag = reader.varint() + tagBase
  let storedAtMs = 0
  let position: number | string = unknownPosition
  while (!reader.isAtEnd) {
    const flags = reader.byte()
    const attempt = flags & hasAttempt ? reader.varint() : 1
    if (!(flags & sameTime)) storedAtMs = reader.double()
    if (flags & nextPosition) position = Number(position) + 1
    else position = reader.byte() === 0 ? reader.varint() : reader.sizedText()
    const record = localised(records.read(), shiftMs)
    deliveries.push(new ReceivedDelivery(tag++, record, { attempt, storedAtMs: storedAtMs + shiftMs, position }))
  }
  return deliveries
}

function localised(record: OutgoingRecord, shiftMs: number): OutgoingRecord {
  return shiftMs === 0 || record.dueAtMs === undefined ? record : { ...record, dueAtMs: record.dueAtMs + shiftMs }
}

// ── Settlements ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Writes settlements: `flags [tag] [visibleAtMs] [records]`, without the tag where it is the next one. */
export class SettlementWriter {
  readonly #writer: Writer
  readonly #records: RecordWriter
  readonly #channel: string
  #tag = 0

  constructor(writer: Writer, channel: string) {
    this.#writer = writer
    this.#channel = channel
    this.#records = new RecordWriter(writer, channel)
  }

  /** @param number the how-manieth message of settlements of this stream it is */
  begin(number: number): void {
    this.#tag = 0
    this.#records.reset(this.#channel)
    this.#writer.byte(fromClient.settle)
    this.#writer.varint(number)
  }

  /** @param tag the broker's */
  add(settlement: Settlement, tag: number): void {
    const next = tag === this.#tag + 1 ? isNext : 0
    this.#tag = tag
    if (settlement.kind === 'ack') this.#ack(settlement.publish, { tag, next })
    else {
      const { countsAttempt, visibleAtMs, holdKey } = settlement
      const time = visibleAtMs === undefined ? 0 : hasTime
      this.#writer.byte(release | next | time | (countsAttempt ? counts : 0) | (holdKey === true ? holdsKey : 0))
      if (next === 0) this.#writer.varint(tag)
      if (visibleAtMs !== undefined) this.#writer.double(visibleAtMs)
    }
  }

  #ack(publish: readonly OutgoingRecord[] | undefined, { tag, next }: { tag: number; next: number }): void {
    const writer = this.#writer
    writer.byte((publish === undefined ? ack : ackAndPublish) | next)
    if (next === 0) writer.varint(tag)
    if (publish === undefined) return
    writer.varint(publish.length)
    for (const record of publish) this.#records.write(record)
  }
}

/** Reads settlements, behind their number. */
export function readSettlements(reader: Reader, channel: string): Settlement[] {
  const settlements: Settlement[] = []
  const records = new RecordReader(reader, channel)
  let tag = 0
  while (!reader.isAtEnd) {
    const flags = reader.byte()
    tag = flags & isNext ? tag + 1 : reader.varint()
    const kind = flags & 3
    if (kind === ack) settlements.push({ kind: 'ack', tag })
    else if (kind === ackAndPublish) {
      const publish: OutgoingRecord[] = []
      for (let left = reader.varint(); left > 0; left--) publish.push(records.read())
      settlements.push({ kind: 'ack', tag, publish })
    } else if (kind === release) {
      settlements.push({
        kind: 'release',
        tag,
        countsAttempt: (flags & counts) !== 0,
        visibleAtMs: flags & hasTime ? reader.double() : undefined,
        holdKey: (flags & holdsKey) !== 0,
      })
    } else throw malformed(`no settlement is of the kind ${kind}`)
  }
  return settlements
}

/** Tags as runs `[first, count]`. @param tags ascending */
export function runsOf(tags: Iterable<number>): (readonly [first: number, count: number])[] {
  const runs: (readonly [number, number])[] = []
  for (const tag of tags) {
    const last = runs.at(-1)
    if (last !== undefined && last[0] + last[1] === tag) runs[runs.length - 1] = [last[0], last[1] + 1]
    else runs.push([tag, 1])
  }
  return runs
}
