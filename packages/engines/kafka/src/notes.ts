import type { Note, NoteChange, OutgoingRecord } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'
import { partitionOf } from './partitioner.ts'
import type { Routed } from './producer.ts'
import { fromKafka, internalHeaders, toKafka } from './record-codec.ts'
import { offsetsOf, scan } from './scan.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** Partitions of the topic of notes; fixed, because the place of a note is computed from it. */
export const notePartitions = 8

/** Names a range of a group. */
export interface RangeName {
  readonly channel: string
  readonly group: string
  readonly range: string
}

/** What was noted about a range. */
export interface LoadedNotes {
  readonly notes: readonly Note[]
  /** The order in which the names were first written. */
  readonly orders: Map<string, number>
}

interface Wish {
  readonly prefix: string
  readonly resolve: (records: Map<string, ReadRecord>) => void
  readonly reject: (reason: unknown) => void
}

/**
 * Notes of ranges, in one compacted topic. The key is `channel@group/range/name`; all notes of a range are in the
 * partition of its own name.
 */
export class Notes {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #wishes = new Map<number, Wish[]>()
  readonly #scanning = new Set<number>()

  constructor(cluster: Cluster, names: Names) {
    this.#cluster = cluster
    this.#topic = names.notes
  }

  /** Everything that stands with a range, once what a former reader may still have been writing has ended. */
  async load(name: RangeName): Promise<LoadedNotes> {
    const prefix = prefixOf(name)
    const latest = await this.#latest(notePartitionOf(prefix), prefix)
    const found = [...latest].map(([key, read]) => {
      const { record, internal } = fromKafka(read, '', { topic: this.#topic, partition: 0 })
      const { [internalHeaders.channel]: channel = '', [internalHeaders.key]: ownKey } = internal
      const { key: _note, ...rest } = record
      const own: OutgoingRecord = { ...rest, channel, ...(ownKey !== undefined && { key: ownKey }) }
      return { name: key.slice(prefix.length), record: own, order: Number(internal[internalHeaders.order] ?? 0) }
    })
    found.sort((a, b) => a.order - b.order)
    return {
      notes: found.map(({ name, record }) => ({ name, record })),
      orders: new Map(found.map(({ name, order }) => [name, order])),
    }
  }

  /** What is to be written for changes; `orders` learns of new names. */
  routed(name: RangeName, changes: readonly NoteChange[], orders: Map<string, number>): Routed[] {
    const prefix = prefixOf(name)
    const partition = notePartitionOf(prefix)
    return changes.map(({ name: noteName, record }) => {
      const key = `${prefix}${noteName}`
      if (record === undefined) {
        orders.delete(noteName)
        return {
          topic: this.#topic,
          partition,
          bytes: key.length + 64,
          record: { key, value: undefined, headers: [], id: undefined },
        }
      }
      const order = orders.get(noteName) ?? Math.max(0, ...orders.values()) + 1
      orders.set(noteName, order)
      const internal = [internalHeaders.channel, record.channel, internalHeaders.order, String(order)]
      if (record.key !== undefined) internal.push(internalHeaders.key, record.key)
      return {
        topic: this.#topic,
        partition,
        bytes: key.length + record.body.length + 65_536,
        record: { ...toKafka(record, internal), key },
      }
    })
  }

  /** Ranges that are given at about the same time share one reading of a partition. */
  #latest(partition: number, prefix: string): Promise<Map<string, ReadRecord>> {
    return new Promise((resolve, reject) => {
      const wishes = this.#wishes.get(partition) ?? []
      this.#wishes.set(partition, [...wishes, { prefix, resolve, reject }])
      if (this.#scanning.has(partition)) return
      this.#scanning.add(partition)
      queueMicrotask(() => void this.#scanAll(partition))
    })
  }

  async #scanAll(partition: number): Promise<void> {
    for (let wishes = this.#next(partition); wishes.length > 0; wishes = this.#next(partition)) {
      try {
        const found = await this.#scan(partition, wishes)
        for (const { prefix, resolve } of wishes) resolve(found.get(prefix) ?? new Map())
      } catch (error) {
        for (const { reject } of wishes) reject(error)
      }
    }
    this.#scanning.delete(partition)
  }

  #next(partition: number): Wish[] {
    const wishes = this.#wishes.get(partition) ?? []
    this.#wishes.delete(partition)
    return wishes
  }

  async #scan(partition: number, wishes: readonly Wish[]): Promise<Map<string, Map<string, ReadRecord>>> {
    const partitions = [partition]
    const [from, until] = await Promise.all([
      offsetsOf(this.#cluster, this.#topic, { partitions, at: 'first' }),
      offsetsOf(this.#cluster, this.#topic, { partitions, at: 'end' }),
    ])
    const found = new Map(wishes.map(({ prefix }) => [prefix, new Map<string, ReadRecord>()]))
    const range = { topic: this.#topic, partition, from: from.get(partition) ?? 0, until: until.get(partition) ?? 0 }
    await scan(this.#cluster, range, (records) => {
      for (const record of records) {
        const key = record.key?.toString() ?? ''
        const notes = found.get(key.slice(0, key.lastIndexOf('/') + 1))
        if (record.value === undefined) notes?.delete(key)
        else notes?.set(key, record)
      }
    })
    return found
  }
}

/** What the keys of the notes of a range begin with. */
export function prefixOf({ channel, group, range }: RangeName): string {
  return `${channel}@${group}/${range}/`
}

/** Where the notes of a range stand. */
export function notePartitionOf(prefix: string): number {
  return partitionOf(prefix, notePartitions)
}
