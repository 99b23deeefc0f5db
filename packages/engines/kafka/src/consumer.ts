import {
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type KeyRangeControl,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type Settlement,
  succeeded,
  type Timer,
} from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { isTransient } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import { Member } from './member.ts'
import type { Notes, RangeName } from './notes.ts'
import { readPositions } from './positions.ts'
import type { Routed } from './producer.ts'
import { type Decode, type Entry, Range } from './range.ts'
import { Settler } from './settler.ts'
import type { Transactors } from './transactor.ts'
import { backoffMs, rest } from './waiting.ts'
import type { GroupPosition } from './window.ts'

/** What a subscription reads, and what it needs for it. */
export interface ConsumerSource {
  readonly channel: string
  readonly topic: string
  readonly groupId: string
  /** The group that records may be addressed to. */
  readonly group: string | undefined
  /** The group as notes are kept for it: a temporary one of the same name has others. */
  readonly noted: string
  readonly instanceId: string | undefined
  /** A name that no other subscription of the process has. */
  readonly name: string
  readonly decode: Decode
  /** Where notes are; without them no range has any. */
  readonly notes: Notes | undefined
  readonly transactors: Transactors
  /** Where a record goes, or why it cannot. */
  readonly route: (record: OutgoingRecord) => Routed | PosthasteError
  /** Finds out what was declared meanwhile. */
  readonly refresh: () => Promise<void>
  readonly onStopped?: (() => Promise<void>) | undefined
}

/** How many records that were not for the group are passed before that is written down. */
const skippedMax = 1_000

/** Deliveries of a range that are acknowledged together, and where they are in their batch. */
interface Acknowledged {
  readonly entries: Entry[]
  readonly indexes: number[]
}

/** One member of a group: what it reads, what it was handed and what it has settled. */
export class Consumer implements EngineSubscription {
  readonly ranges: KeyRangeControl
  readonly #cluster: Cluster
  readonly #source: ConsumerSource
  readonly #sink: DeliverySink
  readonly #member: Member
  readonly #settler: Settler
  readonly #fetcher: Fetcher
  readonly #ranges = new Map<number, Range>()
  readonly #inFlight = new Map<DeliveryTag, Entry>()
  readonly #revocations = new Map<number, Timer>()
  /** Which partitions are to be read, each with what tells one time that it was given from the next. */
  readonly #claims = new Map<number, object>()
  #credit = 0
  #lastTag = 0
  #turn = 0
  #scheduled = false
  #stopping: Promise<void> | undefined
  #left = false

  constructor(cluster: Cluster, source: ConsumerSource, sink: DeliverySink) {
    this.#cluster = cluster
    this.#source = source
    this.#sink = sink
    const { groupId, topic, instanceId, transactors, name } = source
    this.#member = new Member(cluster, { groupId, topic, instanceId, listener: this.#listener() })
    this.#settler = new Settler(cluster, { groupId, topic, member: this.#member, ranges: this.#ranges, transactors })
    const purpose = `fetch ${name}`
    this.#fetcher = new Fetcher(cluster, { topic, purpose, ranges: this.#ranges }, () => this.#fetched())
    this.ranges = {
      pause: (range) => this.#setPaused(range, true),
      resume: (range) => this.#setPaused(range, false),
      note: (range, changes, publish = []) => this.#note(range, changes, publish),
      giveUp: (range) => this.#giveUp(range),
    }
  }

  /** Joins the group; resolves when the server knows of it, or cannot be asked for now. */
  start(): Promise<void> {
    return this.#member.beat()
  }

  /** What it was handed and has not settled, of a partition or of all. */
  inFlight(): number {
    return this.#inFlight.size
  }

  grant(credit: number): void {
    if (this.#stopping !== undefined || !Number.isInteger(credit) || credit < 1) return
    this.#credit += credit
    this.#schedule()
  }

  async extend(): Promise<void> {}

  // ── Handing over ──────────────────────────────────────────────────────────────────────────────────────────────────

  #fetched(): void {
    for (const range of this.#ranges.values())
      if (range.skipped >= skippedMax) {
        range.skipped = 0
        void this.#settler.commit(range)
      }
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#deliver()
    })
  }

  /** As many as there is credit for, from all ranges in turn. */
  #deliver(): void {
    if (this.#credit === 0 || this.#stopping !== undefined) return
    const waiting = [...this.#ranges.values()].filter((range) => range.hasNext)
    if (waiting.length === 0) return
    this.#turn += 1
    const first = this.#turn % waiting.length
    const batch: Entry[] = []
    let share = Math.ceil(this.#credit / waiting.length)
    for (let at = 0; at < waiting.length && this.#credit > 0; at += 1) {
      const range = waiting[(first + at) % waiting.length] as Range
      for (let left = Math.min(share, this.#credit); left > 0 && range.hasNext; left -= 1) {
        const entry = range.next()
        entry.tag = ++this.#lastTag
        this.#inFlight.set(entry.tag, entry)
        batch.push(entry)
        this.#credit -= 1
      }
      share = Math.ceil(this.#credit / Math.max(1, waiting.length - at - 1))
    }
    this.#sink.deliver(batch)
    this.#fetcher.wake()
    if (this.#credit > 0 && waiting.some((range) => range.hasNext)) this.#schedule()
  }

  #setPaused(name: string, paused: boolean): void {
    const range = this.#ranges.get(Number(name))
    if (range === undefined) return
    range.paused = paused
    if (!paused) this.#schedule()
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      const outcomes: Outcome[] = new Array(batch.length)
      let left = batch.length
      if (left === 0) resolve(outcomes)
      const conclude = (index: number, outcome: Outcome) => {
        outcomes[index] = outcome
        left -= 1
        if (left === 0) resolve(outcomes)
      }
      const acknowledged = new Map<Range, Acknowledged>()
      for (let index = 0; index < batch.length; index += 1) {
        const settlement = batch[index] as Settlement
        if (!this.#acknowledge(settlement, index, acknowledged))
          this.#settleOne(settlement, (outcome) => conclude(index, outcome))
      }
      for (const [range, { entries, indexes }] of acknowledged) {
        const concludeAll = (outcome: Outcome) => {
          if (!outcome.ok) for (const entry of entries) this.#restore(range, entry, outcome)
          for (const index of indexes) conclude(index, outcome)
        }
        this.#settler.add({ range, offset: undefined, conclude: concludeAll })
      }
      if (acknowledged.size > 0) this.#fetcher.wake()
    })
  }

  /** The hot path: what is just done is one thing for all of a range that is settled together. */
  #acknowledge(settlement: Settlement, index: number, acknowledged: Map<Range, Acknowledged>): boolean {
    if (settlement.kind !== 'ack' || (settlement.publish !== undefined && settlement.publish.length > 0)) return false
    const entry = this.#inFlight.get(settlement.tag)
    const range = entry && this.#ranges.get(entry.partition)
    if (entry === undefined || range === undefined) return false
    this.#inFlight.delete(settlement.tag)
    range.window.complete(entry.offset)
    const known = acknowledged.get(range)
    if (known === undefined) {
      acknowledged.set(range, { entries: [entry], indexes: [index] })
    } else {
      known.entries.push(entry)
      known.indexes.push(index)
    }
    return true
  }

  /** What did not go through may be tried again. */
  #restore(range: Range, entry: Entry, outcome: Outcome): void {
    const isLost = !outcome.ok && outcome.error.code === 'DELIVERY_LOST'
    if (!isLost && this.#ranges.get(range.partition) === range) this.#inFlight.set(entry.tag, entry)
  }

  #settleOne(settlement: Settlement, conclude: (outcome: Outcome) => void, isSecond = false): void {
    const { tag } = settlement
    const entry = this.#inFlight.get(tag)
    const range = entry && this.#ranges.get(entry.partition)
    if (entry === undefined || range === undefined) {
      const message = `delivery ${tag} of ${this.#source.groupId}: settled or given back before`
      conclude({ ok: false, error: new PosthasteError('DELIVERY_LOST', message) })
      return
    }
    const publish = settlement.kind === 'ack' ? settlement.publish : this.#copy(settlement, entry)
    if (publish === undefined && settlement.kind === 'release') {
      this.#inFlight.delete(tag)
      range.takeBack(entry)
      this.#schedule()
      conclude(succeeded)
      return
    }
    const routed = this.#routeAll(publish ?? [])
    if (PosthasteError.is(routed)) {
      // Another process has declared it meanwhile, perhaps.
      const again = () => this.#settleOne(settlement, conclude, true)
      if (!isSecond && routed.code === 'NOT_FOUND') void this.#source.refresh().then(again, again)
      else conclude({ ok: false, error: routed })
      return
    }
    this.#inFlight.delete(tag)
    if (routed.length === 0) range.window.complete(entry.offset)
    this.#settler.add({
      range,
      offset: entry.offset,
      write: routed.length === 0 ? undefined : () => routed,
      conclude: (outcome) => {
        if (!outcome.ok) this.#restore(range, entry, outcome)
        conclude(outcome)
      },
    })
    if (range.wantsMore) this.#fetcher.wake()
  }

  /** What is to come later goes to the group as a copy, through the topic of delays. */
  #copy(
    { visibleAtMs }: { readonly visibleAtMs?: number | undefined },
    { record }: Entry,
  ): readonly OutgoingRecord[] | undefined {
    const { group } = this.#source
    if (visibleAtMs === undefined || group === undefined || visibleAtMs <= this.#cluster.host.clock.nowMs())
      return undefined
    return [{ ...record, group, dueAtMs: visibleAtMs }]
  }

  #routeAll(records: readonly OutgoingRecord[]): Routed[] | PosthasteError {
    const found: Routed[] = []
    for (const record of records) {
      const routed = this.#source.route(record)
      if (PosthasteError.is(routed)) return routed
      found.push(routed)
    }
    return found
  }

  #note(name: string, ...[changes, publish]: [Parameters<KeyRangeControl['note']>[1], readonly OutgoingRecord[]]) {
    return new Promise<Outcome>((conclude) => {
      const range = this.#ranges.get(Number(name))
      const { notes } = this.#source
      if (range === undefined || notes === undefined) {
        const message = `range ${name} of ${this.#source.groupId}: it is not this member’s`
        return conclude({ ok: false, error: new PosthasteError('DELIVERY_LOST', message) })
      }
      const routed = this.#routeAll(publish)
      if (PosthasteError.is(routed)) return conclude({ ok: false, error: routed })
      const write = () => [...routed, ...notes.routed(this.#rangeName(range), changes, range.orders)]
      this.#settler.add({ range, offset: undefined, write, conclude })
    })
  }

  #rangeName({ name }: Range): RangeName {
    return { channel: this.#source.channel, group: this.#source.noted, range: name }
  }

  // ── Ranges that come and go ───────────────────────────────────────────────────────────────────────────────────────

  #listener() {
    return {
      gained: (partitions: readonly number[]) => {
        const claim = {}
        for (const partition of partitions) this.#claims.set(partition, claim)
        void this.#load(partitions, claim)
      },
      recalled: (partitions: readonly number[]) => {
        for (const partition of partitions) this.#recall(partition)
      },
      fenced: (reason: PosthasteError) => this.#fenced(reason),
      ended: (reason: PosthasteError) => {
        if (this.#stopping !== undefined) return
        this.#fenced(reason)
        this.#fetcher.stop()
        this.#sink.closed(reason)
      },
    }
  }

  /** Where the group stands in a partition, and what was noted; until it is known the partition is the member's. */
  async #load(partitions: readonly number[], claim: object): Promise<void> {
    const { host } = this.#cluster
    const isCurrent = () => !this.#left && partitions.some((each) => this.#claims.get(each) === claim)
    for (let round = 0; isCurrent(); round += 1) {
      try {
        await this.#loadOnce(partitions, claim)
        return
      } catch (error) {
        if (this.#cluster.isClosed) return
        if (!isTransient(error)) host.log.warn('kafka engine: a partition cannot be read yet', { partitions, error })
        await rest(host.clock, backoffMs(round, host.random))
      }
    }
  }

  async #loadOnce(partitions: readonly number[], claim: object): Promise<void> {
    const { groupId, topic, notes, noted, group, decode } = this.#source
    const positions = await readPositions(this.#cluster, groupId, { topic, partitions })
    await Promise.all(
      partitions.map(async (partition) => {
        const name = { channel: this.#source.channel, group: noted, range: String(partition) }
        const loaded = (await notes?.load(name)) ?? { notes: [], orders: new Map() }
        if (this.#left || this.#claims.get(partition) !== claim || this.#ranges.has(partition)) return
        const position = positions.get(partition) ?? this.#unknown(partition)
        const range = new Range(partition, { position, orders: loaded.orders }, { group, decode })
        this.#ranges.set(partition, range)
        if (this.#stopping === undefined) this.#sink.ranges?.assigned(range.name, loaded.notes)
        this.#fetcher.wake()
      }),
    )
  }

  /** The server forgets positions of groups that nobody was in for long; nothing must be left out for that. */
  #unknown(partition: number): GroupPosition {
    // Of the delays nobody declares where to begin.
    if (this.#source.group === undefined) return { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
    this.#cluster.host.log.warn('kafka engine: the server has no position of the group: it begins with what is kept', {
      group: this.#source.groupId,
      partition,
    })
    return { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
  }

  #recall(partition: number): void {
    const range = this.#ranges.get(partition)
    if (range === undefined) {
      this.#claims.delete(partition)
      return void this.#member.release(partition)
    }
    range.recalled = true
    if (this.#sink.ranges === undefined || this.#stopping !== undefined) return void this.#giveUp(range.name)
    const { host, settings } = this.#cluster
    // Before the patience of the server ends, which would take all partitions of the member.
    const timer = host.clock.setTimer(settings.rebalanceTimeoutMs * patienceShare, () => {
      const reason = new PosthasteError('DELIVERY_LOST', `range ${range.name}: it was not given up in time`)
      this.#revoke(range, reason)
      void this.#member.release(partition)
    })
    this.#revocations.set(partition, timer)
    this.#sink.ranges.recalled(range.name)
  }

  async #giveUp(name: string): Promise<void> {
    const range = this.#ranges.get(Number(name))
    if (range === undefined) return
    await this.#settler.idle()
    if (range.skipped > 0) await this.#settler.commit(range)
    this.#revocations.get(range.partition)?.cancel()
    if (this.#ranges.get(range.partition) !== range) return
    this.#forget(range)
    await this.#member.release(range.partition)
  }

  #fenced(reason: PosthasteError): void {
    this.#claims.clear()
    for (const range of [...this.#ranges.values()]) this.#revoke(range, reason)
  }

  #revoke(range: Range, reason: PosthasteError): void {
    if (this.#ranges.get(range.partition) !== range) return
    this.#revocations.get(range.partition)?.cancel()
    const tags = this.#forget(range)
    if (this.#stopping !== undefined) return
    if (this.#sink.ranges !== undefined) this.#sink.ranges.revoked(range.name, reason)
    else if (tags.length > 0) this.#sink.lost(tags, reason)
  }

  #forget(range: Range): DeliveryTag[] {
    this.#ranges.delete(range.partition)
    this.#claims.delete(range.partition)
    const tags: DeliveryTag[] = []
    for (const [tag, entry] of this.#inFlight) if (entry.range === range.name) tags.push(tag)
    for (const tag of tags) this.#inFlight.delete(tag)
    return tags
  }

  // ── Leaving ───────────────────────────────────────────────────────────────────────────────────────────────────────

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#fetcher.stop()
    await this.#settler.idle()
    const skipped = [...this.#ranges.values()].filter((range) => range.skipped > 0)
    await Promise.all(skipped.map((range) => this.#settler.commit(range)))
    this.#left = true
    for (const timer of this.#revocations.values()) timer.cancel()
    await this.#member.leave()
    this.#ranges.clear()
    this.#inFlight.clear()
    await this.#source.onStopped?.()
  }
}

/** Of the time that the server gives a member to part with a partition, so much does the core have. */
const patienceShare = 0.8
