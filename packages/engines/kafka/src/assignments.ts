import { type DeliverySink, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import type { ConsumerSource } from './consumer-source.ts'
import { isTransient } from './errors.ts'
import type { Member, MemberListener } from './member.ts'
import { readPositions } from './positions.ts'
import { Range } from './range.ts'
import { offsetsOf } from './scan.ts'
import type { Settler } from './settler.ts'
import { backoffMs, rest } from './waiting.ts'
import type { GroupPosition } from './window.ts'

/** Of the time that the server gives a member to part with a partition, so much does the core have. */
const patienceShare = 0.8
/** How often a member that has got partitions looks for what keeps them from being read. */
const overdueEveryMs = 500

/** What partitions come to and go from. */
export interface Assignee {
  readonly sink: DeliverySink
  readonly ranges: Map<number, Range>
  readonly member: () => Member
  readonly settler: () => Settler
  /** A range is there to be read. */
  readonly onLoaded: () => void
  /** A range is gone. */
  readonly onForgotten: (range: Range, reason: PosthasteError | undefined) => void
  /** There is nothing to be a member of any more. */
  readonly onEnded: (reason: PosthasteError) => void
}

/** Which partitions one member has: reads where the group stands in those that come, and gives up those that go. */
export class Assignments implements MemberListener {
  readonly #cluster: Cluster
  readonly #source: ConsumerSource
  readonly #assignee: Assignee
  /** Which partitions are to be read, each with what tells one time that it was given from the next. */
  readonly #claims = new Map<number, object>()
  readonly #patience = new Map<number, Timer>()
  #stopping = false
  #left = false

  constructor(cluster: Cluster, source: ConsumerSource, assignee: Assignee) {
    this.#cluster = cluster
    this.#source = source
    this.#assignee = assignee
  }

  /** From now on the sink is told nothing, and what is asked for is given up at once. */
  beginStop(): void {
    this.#stopping = true
  }

  /** Nothing comes any more. */
  leave(): void {
    this.#left = true
    for (const timer of this.#patience.values()) timer.cancel()
  }

  gained(partitions: readonly number[]): void {
    const claim = {}
    for (const partition of partitions) this.#claims.set(partition, claim)
    void this.#load(partitions, claim)
    void this.#endOverdue(partitions, claim)
  }

  recalled(partitions: readonly number[]): void {
    for (const partition of partitions) this.#recall(partition)
  }

  fenced(reason: PosthasteError): void {
    this.#claims.clear()
    for (const range of [...this.#assignee.ranges.values()]) this.#revoke(range, reason)
  }

  ended(reason: PosthasteError): void {
    if (this.#stopping) return
    this.fenced(reason)
    this.#assignee.onEnded(reason)
  }

  /** Where the group stands in a partition, and what was noted; until it is known the partition is the member's. */
  async #load(partitions: readonly number[], claim: object): Promise<void> {
    const { host } = this.#cluster
    for (let round = 0; this.#isCurrent(partitions, claim); round += 1) {
      try {
        await this.#loadOnce(partitions, claim)
        return
      } catch (error) {
        if (this.#cluster.isClosed) return
        if (!isTransient(error)) host.log.warn('kafka engine: a partition cannot be read yet', { partitions, error })
        await this.#cluster.pause(backoffMs(round, host.random))
      }
    }
  }

  #isCurrent(partitions: readonly number[], claim: object): boolean {
    return !this.#left && partitions.some((each) => this.#claims.get(each) === claim)
  }

  async #loadOnce(partitions: readonly number[], claim: object): Promise<void> {
    const { groupId, topic, channel, notes, noted, group, decode } = this.#source
    const { ranges, sink, settler, onLoaded } = this.#assignee
    const positions = await readPositions(this.#cluster, groupId, { topic, partitions })
    const beginnings = await this.#beginnings(partitions.filter((each) => !positions.has(each)))
    await Promise.all(
      partitions.map(async (partition) => {
        const loaded = (await notes?.load({ channel, group: noted, range: String(partition) })) ?? nothingNoted()
        if (this.#left || this.#claims.get(partition) !== claim || ranges.has(partition)) return
        const position = positions.get(partition) ?? beginnings.get(partition) ?? this.#unknown(partition)
        const range = new Range(partition, { position, orders: loaded.orders }, { group, decode })
        ranges.set(partition, range)
        if (beginnings.has(partition)) void settler().commit(range)
        if (!this.#stopping) sink.ranges?.assigned(range.name, loaded.notes)
        onLoaded()
      }),
    )
  }

  /**
   * What the former reader has left open, if it vanished, is in the way of reading positions, notes and records. It was
   * opened before, so that one look is enough once it would be over time.
   */
  async #endOverdue(partitions: readonly number[], claim: object): Promise<void> {
    const { clock } = this.#cluster.host
    const { overdue } = this.#source
    const untilMs = clock.monotonicMs() + overdue.overdueMs + overdueEveryMs
    while (this.#isCurrent(partitions, claim) && clock.monotonicMs() < untilMs && !this.#cluster.isClosed) {
      await overdue.end()
      await rest(clock, overdueEveryMs)
    }
  }

  /** Where a temporary group begins that others have ended, since its process was away: with what is published from now on. */
  async #beginnings(partitions: readonly number[]): Promise<ReadonlyMap<number, GroupPosition>> {
    const { isTemporary, topic } = this.#source
    if (!isTemporary || partitions.length === 0) return new Map()
    const ends = await offsetsOf(this.#cluster, topic, { partitions, at: 'end' })
    return new Map([...ends].map(([each, offset]) => [each, { offset, done: new Uint8Array(0), addressedFrom: 0 }]))
  }

  /** The server forgets positions of groups that nobody was in for long; nothing must be left out for that. */
  #unknown(partition: number): GroupPosition {
    // Of the delays nobody declares where to begin.
    if (this.#source.group !== undefined)
      this.#cluster.host.log.warn(
        'kafka engine: the server has no position of the group: it begins with what is kept',
        { group: this.#source.groupId, partition },
      )
    return { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
  }

  #recall(partition: number): void {
    const { ranges, sink, member } = this.#assignee
    const range = ranges.get(partition)
    if (range === undefined) {
      this.#claims.delete(partition)
      return void member().release(partition)
    }
    range.recalled = true
    if (sink.ranges === undefined || this.#stopping) return void this.giveUp(range.name)
    const { host, settings } = this.#cluster
    // Before the patience of the server ends, which would take all partitions of the member.
    const timer = host.clock.setTimer(settings.rebalanceTimeoutMs * patienceShare, () => {
      const reason = new PosthasteError('DELIVERY_LOST', `range ${range.name}: it was not given up in time`)
      this.#revoke(range, reason)
      void member().release(partition)
    })
    this.#patience.set(partition, timer)
    sink.ranges.recalled(range.name)
  }

  /** Lets another have a range, once what was settled of it is written. */
  async giveUp(name: string): Promise<void> {
    const { ranges, settler, member } = this.#assignee
    const range = ranges.get(Number(name))
    if (range === undefined) return
    await settler().idle()
    if (range.skipped > 0) await settler().commit(range)
    if (ranges.get(range.partition) !== range) return
    this.#forget(range, undefined)
    await member().release(range.partition)
  }

  #revoke(range: Range, reason: PosthasteError): void {
    if (this.#assignee.ranges.get(range.partition) === range) this.#forget(range, reason)
  }

  #forget(range: Range, reason: PosthasteError | undefined): void {
    this.#patience.get(range.partition)?.cancel()
    this.#assignee.ranges.delete(range.partition)
    this.#claims.delete(range.partition)
    this.#assignee.onForgotten(range, reason)
  }
}

function nothingNoted() {
  return { notes: [], orders: new Map<string, number>() }
}
