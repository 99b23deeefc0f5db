import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type Engine,
  type EngineSubscription,
  keyRangeOf,
  type NoteChange,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type SeekTarget,
  type SubscriptionSpec,
  succeeded,
} from '@posthaste/contracts'
import type { BrokerSettings } from './options.ts'

/** One record that a group has not settled. */
interface Item {
  readonly stored: Delivery
  readonly range: Range
  handOvers: number
  /** Whom it is with. */
  reader: Reader | undefined
}

/** A key range of a group on the server. */
interface Range {
  readonly name: string
  readonly notes: Map<string, OutgoingRecord>
  items: Item[]
  owner: Reader | undefined
  state: 'free' | 'read' | 'recalled' | 'paused'
  /** How often it was assigned: what was written for another assignment is refused. */
  epoch: number
}

/** A member as the server knows it. */
export interface Reader {
  readonly sink: DeliverySink
  credit: number
  isAlive: boolean
  lastTag: DeliveryTag
  readonly out: Map<DeliveryTag, Item>
}

const lostBy = (why: string): Outcome => ({ ok: false, error: new PosthasteError('DELIVERY_LOST', why) })

/** What a group of a channel waits for, in its ranges; who reads them, and what is with whom. */
export class Feed {
  readonly ranges: readonly Range[]
  readonly #options: BrokerSettings
  #readers: Reader[] = []
  #storage: EngineSubscription | undefined
  #isPlanned = false
  #isMoving = false

  constructor(options: BrokerSettings) {
    this.#options = options
    this.ranges = Array.from({ length: options.keyRanges }, (_, at) => ({
      name: `r${at}`,
      notes: new Map(),
      items: [],
      owner: undefined,
      state: 'free',
      epoch: 0,
    }))
  }

  async begin(storage: Engine, spec: SubscriptionSpec): Promise<void> {
    this.#storage = await storage.subscribe(spec, {
      deliver: (batch) => {
        for (const stored of batch) {
          const range = this.ranges[keyRangeOf(stored.record.key ?? stored.record.id, this.ranges.length)]!
          range.items.push({ stored, range, handOvers: 0, reader: undefined })
        }
        this.#plan()
      },
      lost() {},
      closed() {},
    })
    this.#storage.grant(1_000_000_000)
  }

  /** Where nothing is read. What is addressed to the group is not in the log any more once it is noted. */
  async seek(storage: Engine, spec: SubscriptionSpec, target: SeekTarget): Promise<void> {
    if (this.#readers.length > 0) throw new PosthasteError('CONFLICT', 'the group has members')
    this.#isMoving = true
    try {
      await this.#storage?.stop()
      for (const range of this.ranges) range.items = []
      await storage.seeking!.seek(spec.channel, spec.group, target)
      for (const { notes } of this.ranges) {
        for (const [name, { group }] of notes) if (group === undefined) notes.delete(name)
      }
    } finally {
      await this.begin(storage, spec)
      this.#isMoving = false
      this.#plan()
    }
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  join(sink: DeliverySink): Reader {
    const reader: Reader = { sink, credit: 0, isAlive: true, lastTag: 0, out: new Map() }
    this.#readers.push(reader)
    this.#plan()
    return reader
  }

  /** It leaves, or its process is gone: the server sees no difference. */
  leave(reader: Reader): void {
    reader.isAlive = false
    this.#readers = this.#readers.filter((each) => each !== reader)
    for (const range of this.ranges) if (range.owner === reader) this.#free(range)
    this.#plan()
  }

  /** The connection of a member is lost, and is there again. */
  interrupt(reader: Reader): void {
    for (const range of this.ranges) {
      if (range.owner !== reader) continue
      this.#free(range)
      reader.sink.ranges?.revoked(range.name, new PosthasteError('UNAVAILABLE', 'the connection was lost'))
    }
    this.#plan()
  }

  giveUp(reader: Reader, name: string): void {
    const range = this.#rangeOf(reader, name)
    if (range !== undefined) this.#free(range)
    this.#plan()
  }

  #free(range: Range): void {
    for (const item of range.items) {
      if (item.reader === undefined) continue
      for (const [tag, out] of item.reader.out) if (out === item) item.reader.out.delete(tag)
      item.reader = undefined
    }
    range.owner = undefined
    range.state = 'free'
  }

  #rangeOf(reader: Reader, name: string): Range | undefined {
    return this.ranges.find((range) => range.name === name && range.owner === reader)
  }

  /** Each range to one member, as evenly as can be. */
  #rebalance(): void {
    for (const [at, range] of this.ranges.entries()) {
      const wanted = this.#readers[at % Math.max(this.#readers.length, 1)]
      if (range.owner === wanted) continue
      if (range.owner === undefined && wanted !== undefined) {
        range.owner = wanted
        range.state = 'read'
        range.epoch += 1
        const notes = [...range.notes].map(([name, record]) => ({ name, record }))
        wanted.sink.ranges?.assigned(range.name, notes)
      } else if (range.owner !== undefined && range.state !== 'recalled') {
        range.state = 'recalled'
        range.owner.sink.ranges?.recalled(range.name)
      }
    }
  }

  // ── Deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────

  grant(reader: Reader, credit: number): void {
    reader.credit += credit
    this.#plan()
  }

  pause(reader: Reader, name: string, isPaused: boolean): void {
    const range = this.#rangeOf(reader, name)
    if (range === undefined || range.state === 'recalled') return
    range.state = isPaused ? 'paused' : 'read'
    this.#plan()
  }

  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    queueMicrotask(() => {
      this.#isPlanned = false
      if (this.#isMoving) return
      this.#rebalance()
      for (const reader of this.#readers) this.#deliver(reader)
    })
  }

  #deliver(reader: Reader): void {
    const batch: Delivery[] = []
    for (const range of this.ranges) {
      if (range.owner !== reader || range.state !== 'read') continue
      for (const item of range.items) {
        if (reader.credit === 0) break
        if (item.reader !== undefined) continue
        reader.credit -= 1
        batch.push(this.#handOver(item, reader))
      }
    }
    if (batch.length > 0) reader.sink.deliver(batch)
  }

  #handOver(item: Item, reader: Reader): Delivery {
    const { record, storedAtMs, position } = item.stored
    item.handOvers += 1
    item.reader = reader
    reader.lastTag += 1
    reader.out.set(reader.lastTag, item)
    const attempt = this.#options.attempts === 'hand-overs' ? item.handOvers : 1
    return { tag: reader.lastTag, record, attempt, storedAtMs, position, range: item.range.name }
  }

  // ── What members write ────────────────────────────────────────────────────────────────────────────────────────────

  async settle(reader: Reader, tag: DeliveryTag, publish?: readonly OutgoingRecord[]): Promise<Outcome> {
    const item = reader.out.get(tag)
    const fault = this.#options.fault?.('settle')
    if (fault !== undefined) return { ok: false, error: fault }
    if (item === undefined || this.#storage === undefined) return lostBy('it is settled, or with somebody else')
    reader.out.delete(tag)
    const [outcome = succeeded] = await this.#storage.settle([{ kind: 'ack', tag: item.stored.tag, publish }])
    if (outcome.ok) item.range.items = item.range.items.filter((each) => each !== item)
    else if (item.reader === reader) reader.out.set(tag, item)
    return outcome
  }

  handBack(reader: Reader, tag: DeliveryTag): Outcome {
    const item = reader.out.get(tag)
    if (item === undefined) return lostBy('it is settled, or with somebody else')
    reader.out.delete(tag)
    item.reader = undefined
    this.#plan()
    return succeeded
  }

  /** What is with members, and how much is noted with ranges that none of these reads. */
  figures(readers: readonly Reader[]): { readonly inFlight: number; readonly noted: number } {
    const inFlight = this.ranges.flatMap(({ items }) => items.filter(({ reader }) => reader !== undefined)).length
    const elsewhere = this.ranges.filter(({ owner }) => owner === undefined || !readers.includes(owner))
    const names = elsewhere.flatMap(({ notes }) => [...notes.keys()])
    return { inFlight, noted: names.filter((name) => name !== 'session').length }
  }

  epochOf(reader: Reader, name: string): number | undefined {
    return this.#rangeOf(reader, name)?.epoch
  }

  note(
    reader: Reader,
    of: { readonly name: string; readonly epoch: number | undefined },
    changes: readonly NoteChange[],
  ): Outcome {
    const { name, epoch } = of
    const range = this.#rangeOf(reader, name)
    if (range === undefined || range.epoch !== epoch) return lostBy(`key range ${name} is with somebody else`)
    for (const change of changes) {
      if (change.record === undefined) range.notes.delete(change.name)
      else range.notes.set(change.name, change.record)
    }
    return succeeded
  }
}
