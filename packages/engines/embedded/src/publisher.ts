import { type Clock, type Outcome, type OutgoingRecord, succeeded } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { failed } from './errors.ts'
import { capabilities } from './features.ts'
import type { Scheduler, ScheduleTarget } from './scheduler.ts'
import { wideMax } from './storage/keys.ts'
import { headersMax, textUnitsMax } from './storage/record-codec.ts'
import type { Registry } from './topology.ts'

const keyBytesMax = 1_024
const idBytesMax = 1_024

/** Finds each record its log, or refuses it. What it takes is durable with the next transaction. */
export class Publisher {
  readonly #registry: Registry
  readonly #scheduler: Scheduler
  readonly #clock: Clock

  constructor(registry: Registry, scheduler: Scheduler, clock: Clock) {
    this.#registry = registry
    this.#scheduler = scheduler
    this.#clock = clock
  }

  /** Takes what can be taken. Hot path. */
  takeAll(records: readonly OutgoingRecord[]): Outcome[] {
    const outcomes = new Array<Outcome>(records.length)
    for (let i = 0; i < records.length; i++) outcomes[i] = this.#take(records[i]!)
    return outcomes
  }

  /** Takes all, or none and says why. */
  takeAllOrNone(records: readonly OutgoingRecord[]): Outcome {
    for (const record of records) {
      const refusal = this.refusalOf(record)
      if (refusal !== undefined) return refusal
    }
    for (const record of records) this.#put(this.#registry.channels.get(record.channel)!, record)
    return succeeded
  }

  /** Why a record cannot be taken; undefined if it can. */
  refusalOf(record: OutgoingRecord): Outcome | undefined {
    const refusal = refusalOf(record)
    if (refusal !== undefined) return refusal
    const channel = this.#registry.channels.get(record.channel)
    const isDeclared = record.group === undefined ? channel !== undefined : channel?.groups.has(record.group)
    return isDeclared ? undefined : noSuchPlace(record)
  }

  #take(record: OutgoingRecord): Outcome {
    const refusal = refusalOf(record)
    if (refusal !== undefined) return refusal
    const channel = this.#registry.channels.get(record.channel)
    if (channel === undefined || !this.#put(channel, record)) return noSuchPlace(record)
    return succeeded
  }

  /** False if there is no such group. What repeats an id is taken like all others, and goes nowhere. */
  #put(channel: Channel, record: OutgoingRecord): boolean {
    if (record.group !== undefined) {
      const group = channel.groups.get(record.group)
      if (group !== undefined) this.#append(group.inlet, record)
      return group !== undefined
    }
    if (channel.knownIds !== undefined) {
      if (channel.knownIds.has(record.id)) return true
      channel.knownIds.add(record.id)
    }
    this.#append(channel.inlet, record)
    return true
  }

  #append(inlet: ScheduleTarget, record: OutgoingRecord): void {
    if (record.dueAtMs !== undefined && record.dueAtMs > this.#clock.nowMs())
      this.#scheduler.add(inlet, record, record.dueAtMs)
    else inlet.append(record)
  }
}

function noSuchPlace(record: OutgoingRecord): Outcome {
  const group = record.group === undefined ? '' : ` with a group '${record.group}'`
  return failed('NOT_FOUND', `record ${record.id}: no channel '${record.channel}'${group} is declared`)
}

function refusalOf(record: OutgoingRecord): Outcome | undefined {
  const { body, headers, key, id } = record
  if (body.byteLength > capabilities.bodyBytesMax) {
    return failed(
      'BODY_TOO_LARGE',
      `record ${id}: its body has ${body.byteLength} bytes, the limit is ${capabilities.bodyBytesMax}`,
    )
  }
  let units = 0
  let count = 0
  for (const name in headers) {
    units += name.length + headers[name]!.length
    count++
  }
  // UTF-16 units are a lower bound of bytes, and three times as many an upper one.
  if (
    count > headersMax ||
    (units * 3 > capabilities.headerBytesMax && headerBytes(record) > capabilities.headerBytesMax)
  ) {
    return failed(
      'BODY_TOO_LARGE',
      `record ${id}: its headers are over ${headersMax} or ${capabilities.headerBytesMax} bytes`,
    )
  }
  if (id.length === 0 || isLonger(id, idBytesMax))
    return failed('INVALID_ARGUMENT', `a record's id must have 1 to ${idBytesMax} bytes`)
  if (key !== undefined && isLonger(key, keyBytesMax))
    return failed('INVALID_ARGUMENT', `record ${id}: its key is over ${keyBytesMax} bytes`)
  if (record.dueAtMs !== undefined && !(record.dueAtMs <= wideMax))
    return failed('INVALID_ARGUMENT', `record ${id}: its due time ${record.dueAtMs} is none, or beyond ${wideMax}`)
  if (record.priority !== undefined && !(Number.isInteger(record.priority) && record.priority >= 0))
    return failed('INVALID_ARGUMENT', `record ${id}: its priority ${record.priority} is no whole number from 0 on`)
  return undefined
}

function isLonger(text: string, bytesMax: number): boolean {
  return text.length * 3 > bytesMax && (text.length > textUnitsMax || Buffer.byteLength(text) > bytesMax)
}

function headerBytes(record: OutgoingRecord): number {
  return Object.entries(record.headers).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value),
    0,
  )
}
