import { type ErrorCode, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { bucketOf } from './delay-buckets.ts'
import { headerBytesMax, keyBytesMax } from './features.ts'
import type { Names } from './names.ts'
import { partitionOf } from './partitioner.ts'
import type { Routed } from './producer.ts'
import { internalHeaders, toKafka } from './record-codec.ts'
import type { Registry } from './registry.ts'

/** UTF-16 code units become at most three bytes each. */
const bytesPerUnit = 3
/** What a record takes in a batch beside key, headers and body, at most. */
const recordBytesFixed = 512
/** So many records without a key go to one partition before it is the turn of the next. */
const stickyRecords = 100

/** Where records go, and which cannot go anywhere. */
export class Router {
  readonly #cluster: Cluster
  readonly #names: Names
  readonly #registry: Registry
  #turn = 0
  #left = stickyRecords
  #latest: { readonly channel: string; readonly topic: string } | undefined

  constructor(cluster: Cluster, names: Names, registry: Registry) {
    this.#cluster = cluster
    this.#names = names
    this.#registry = registry
  }

  /** Another call: records without a key go on in the next partition. */
  turn(): void {
    this.#turn += 1
    this.#left = stickyRecords
  }

  /** Where a record goes by now: to its channel, or to wait for its time; or why it cannot be stored. */
  route(record: OutgoingRecord): Routed | PosthasteError {
    const bytes = headerBytes(record)
    const error = this.#refusal(record, bytes)
    if (error !== undefined) return error
    const size = record.body.length + bytes + recordBytesFixed
    if (record.dueAtMs !== undefined) {
      const remainingMs = record.dueAtMs - this.#cluster.host.clock.nowMs()
      if (remainingMs > 0) return this.#delayed(record, remainingMs, size)
    }
    const topic = this.#topic(record.channel)
    return { topic, partition: this.#partition(topic, record.key), record: toKafka(record), bytes: size }
  }

  /** The name of the latest is kept, since text that was just put together has to be hashed. */
  #topic(channel: string): string {
    if (this.#latest?.channel !== channel) this.#latest = { channel, topic: this.#names.topic(channel) }
    return this.#latest.topic
  }

  #delayed(record: OutgoingRecord, remainingMs: number, bytes: number): Routed {
    const { bucket, waitMs } = bucketOf(remainingMs)
    const wakeAtMs = Math.ceil(this.#cluster.host.clock.nowMs() + waitMs)
    const internal = [internalHeaders.channel, record.channel, internalHeaders.wakeAt, String(wakeAtMs)]
    return { topic: this.#names.delays, partition: bucket, record: toKafka(record, internal), bytes }
  }

  #partition(topic: string, key: string | undefined): number {
    const count = this.#cluster.topicIfKnown(topic)?.leaders.length ?? this.#cluster.settings.keyRanges
    if (key !== undefined) return partitionOf(key, count)
    if (this.#left === 0) this.turn()
    this.#left -= 1
    return this.#turn % count
  }

  #refusal(record: OutgoingRecord, headers: number): PosthasteError | undefined {
    const { channel, group, key, body, dueAtMs, expiresAtMs } = record
    const { bodyBytesMax } = this.#cluster.settings
    if (this.#registry.channel(channel) === undefined) return refuse(record, 'NOT_FOUND', 'the channel is not declared')
    if (group !== undefined && !this.#registry.hasGroup(channel, group))
      return refuse(record, 'NOT_FOUND', `the group ${group} is not declared`)
    if (body.length > bodyBytesMax)
      return refuse(record, 'BODY_TOO_LARGE', `the body has ${body.length} bytes, the limit is ${bodyBytesMax}`)
    if (key !== undefined && key.length * bytesPerUnit > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)
      return refuse(record, 'INVALID_ARGUMENT', `the key is longer than ${keyBytesMax} bytes`)
    if (headers > headerBytesMax)
      return refuse(record, 'INVALID_ARGUMENT', `the headers have more than ${headerBytesMax} bytes`)
    if (Number.isNaN(dueAtMs) || Number.isNaN(expiresAtMs))
      return refuse(record, 'INVALID_ARGUMENT', 'a time of it is not a number')
    const { priority = 0 } = record
    if (!Number.isInteger(priority) || priority < 0)
      return refuse(record, 'INVALID_ARGUMENT', `priority ${priority} is not 0 or a whole number above`)
    return undefined
  }
}

function refuse({ id, channel }: OutgoingRecord, code: ErrorCode, what: string): PosthasteError {
  return new PosthasteError(code, `record ${id} for ${channel}: ${what}`)
}

/** An upper bound where that is within the limit, which spares encoding; the exact size elsewhere. */
function headerBytes({ headers }: OutgoingRecord): number {
  let units = 0
  for (const name in headers) units += name.length + (headers[name] as string).length
  if (units * bytesPerUnit <= headerBytesMax) return units * bytesPerUnit
  return Buffer.byteLength(Object.entries(headers).flat().join(''))
}
