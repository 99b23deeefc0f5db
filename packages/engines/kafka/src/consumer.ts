import {
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type KeyRangeControl,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  SerialTable,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { Assignments } from './assignments.ts'
import type { Cluster } from './cluster.ts'
import type { ConsumerSource } from './consumer-source.ts'
import { Fetcher } from './fetcher.ts'
import { Member } from './member.ts'
import type { RangeName } from './notes.ts'
import type { Routed } from './producer.ts'
import type { Entry, Range } from './range.ts'
import { Settler } from './settler.ts'

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
  readonly #assignments: Assignments
  readonly #fetcher: Fetcher
  readonly #ranges = new Map<number, Range>()
  readonly #inFlight = new SerialTable<Entry>()
  #credit = 0
  #lastTag = 0
  #turn = 0
  #scheduled = false
  #stopping: Promise<void> | undefined

  constructor(cluster: Cluster, source: ConsumerSource, sink: DeliverySink) {
    this.#cluster = cluster
    this.#source = source
    this.#sink = sink
    this.#assignments = this.#newAssignments()
    const { groupId, topic, instanceId, transactors, name } = source
    this.#member = new Member(cluster, { groupId, topic, instanceId, listener: this.#assignments })
    this.#settler = new Settler(cluster, { groupId, topic, member: this.#member, ranges: this.#ranges, transactors })
    const purpose = `fetch ${name}`
    this.#fetcher = new Fetcher(cluster, { topic, purpose, ranges: this.#ranges }, () => this.#fetched())
    this.ranges = {
      pause: (range) => this.#setPaused(range, true),
      resume: (range) => this.#setPaused(range, false),
      note: (range, changes, publish = []) => this.#note(range, changes, publish),
      giveUp: (range) => this.#assignments.giveUp(range),
    }
  }

  /** Joins the group; resolves when the server knows of it and misses it in time, or cannot be asked for now. */
  start(): Promise<void> {
    return this.#member.join()
  }

  /** Whether it has a partition, with what is noted about it. */
  reads(partition: number): boolean {
    return this.#ranges.has(partition)
  }

  /** What it was handed and has not settled. */
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
    // A process that was stopped for a while may come to this before it comes to know.
    if (this.#credit === 0 || this.#stopping !== undefined || !this.#member.stands) return
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

  #newAssignments(): Assignments {
    return new Assignments(this.#cluster, this.#source, {
      sink: this.#sink,
      ranges: this.#ranges,
      member: () => this.#member,
      settler: () => this.#settler,
      onLoaded: () => this.#fetcher.wakeSoon(),
      onForgotten: (range, reason) => this.#forgotten(range, reason),
      onEnded: (reason) => {
        this.#fetcher.stop()
        this.#sink.closed(reason)
      },
    })
  }

  #forgotten(range: Range, reason: PosthasteError | undefined): void {
    const tags: DeliveryTag[] = []
    for (const [tag, entry] of this.#inFlight.entries()) if (entry.range === range.name) tags.push(tag)
    for (const tag of tags) this.#inFlight.delete(tag)
    if (reason === undefined || this.#stopping !== undefined) return
    if (this.#sink.ranges !== undefined) this.#sink.ranges.revoked(range.name, reason)
    else if (tags.length > 0) this.#sink.lost(tags, reason)
  }

  // ── Leaving ───────────────────────────────────────────────────────────────────────────────────────────────────────

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    this.#assignments.beginStop()
    this.#fetcher.stop()
    await this.#settler.idle()
    const skipped = [...this.#ranges.values()].filter((range) => range.skipped > 0)
    await Promise.all(skipped.map((range) => this.#settler.commit(range)))
    this.#assignments.leave()
    await this.#member.leave()
    this.#ranges.clear()
    this.#inFlight.clear()
    await this.#source.onStopped?.()
  }
}
