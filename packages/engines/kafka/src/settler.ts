import { type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { hasCode, InDoubtError, kafkaCodes, mapped } from './errors.ts'
import type { Member } from './member.ts'
import { partitionPosition, writePositions } from './positions.ts'
import type { Routed } from './producer.ts'
import type { Range } from './range.ts'
import type { Transactors } from './transactor.ts'
import { rest } from './waiting.ts'
import type { GroupPositions } from './wire/transaction.ts'

/** Something of one range that stands or falls as one. */
export interface Job {
  readonly range: Range
  /** What is done with it; undefined where nothing is. */
  readonly offset: number | undefined
  /** What is written with it: records, notes. Made when it is its turn, so that what depends on the order sees it. */
  readonly write?: (() => readonly Routed[]) | undefined
  readonly conclude: (outcome: Outcome) => void
}

/** Where a settler writes to. */
export interface SettlerTarget {
  readonly groupId: string
  readonly topic: string
  readonly member: Member
  readonly ranges: ReadonlyMap<number, Range>
  readonly transactors: Transactors
}

/** Most that goes in one transaction. */
const transactionJobsMax = 1_000
const transactionBytesMax = 4 * 1_048_576
/** How often a commit is tried again because the group has moved on meanwhile. */
const staleRestMs = 20

/**
 * Writes what is done: the positions of one member's ranges, one commit at a time; what is settled meanwhile is in the
 * next. What is published with a settlement goes in one transaction with the positions.
 *
 * Each commit says as whom it is written, and the server refuses those of a member that is none any more.
 */
export class Settler {
  readonly #cluster: Cluster
  readonly #target: SettlerTarget
  #jobs: Job[] = []
  #running = false
  #idle: (() => void)[] = []

  constructor(cluster: Cluster, target: SettlerTarget) {
    this.#cluster = cluster
    this.#target = target
  }

  add(job: Job): void {
    this.#jobs.push(job)
    if (this.#running) return
    this.#running = true
    queueMicrotask(() => void this.#run())
  }

  /** Resolves once everything that was added is answered. */
  idle(): Promise<void> {
    return this.#running ? new Promise((resolve) => this.#idle.push(resolve)) : Promise.resolve()
  }

  /** Writes the position of a range also where nothing new was settled. */
  commit(range: Range): Promise<Outcome> {
    return new Promise((conclude) => this.add({ range, offset: undefined, conclude }))
  }

  async #run(): Promise<void> {
    while (this.#jobs.length > 0) await this.#flush(this.#portion())
    this.#running = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  /** All that waits; of what publishes, as much as one transaction should have. */
  #portion(): readonly Job[] {
    let [writes, at] = [0, 0]
    for (; at < this.#jobs.length && writes < transactionJobsMax; at += 1)
      if (this.#jobs[at]?.write !== undefined) writes += 1
    return this.#jobs.splice(0, at)
  }

  async #flush(jobs: readonly Job[]): Promise<void> {
    const current: Job[] = []
    for (const job of jobs) {
      if (this.#has(job.range)) current.push(job)
      else job.conclude({ ok: false, error: lost(this.#target.groupId, job.range) })
    }
    let bytes = 0
    let portion: Job[] = []
    let records: Routed[] = []
    for (const job of current) {
      const written = job.write?.() ?? []
      portion.push(job)
      records = records.concat(written)
      for (const each of written) bytes += each.bytes
      if (bytes < transactionBytesMax) continue
      await this.#write(portion, records)
      ;[portion, records, bytes] = [[], [], 0]
    }
    if (portion.length > 0) await this.#write(portion, records)
  }

  async #write(jobs: readonly Job[], records: readonly Routed[]): Promise<void> {
    try {
      await this.#commit(jobs, records)
    } catch (error) {
      const failure = { ok: false, error: mapped(error, `settlement of ${this.#target.groupId}`) } as const
      // One range that went takes nothing from the others.
      const isLost = failure.error.code === 'DELIVERY_LOST' && jobs.some(({ range }) => !this.#has(range))
      const spared = new Set(isLost ? jobs.filter(({ range }) => this.#has(range)) : [])
      for (const job of jobs) if (!spared.has(job)) job.conclude(failure)
      this.#jobs.unshift(...spared)
      return
    }
    for (const { range, offset } of jobs) {
      if (offset !== undefined) range.window.complete(offset)
      range.skipped = 0
    }
    for (const { conclude } of jobs) conclude(succeeded)
  }

  #has(range: Range): boolean {
    return this.#target.ranges.get(range.partition) === range
  }

  async #commit(jobs: readonly Job[], records: readonly Routed[]): Promise<void> {
    const { groupId, member, transactors } = this.#target
    const { clock } = this.#cluster.host
    const deadlineMs = clock.monotonicMs() + this.#cluster.settings.timeoutMs
    const offsets = new Map<Range, number[]>()
    for (const { range, offset } of jobs) {
      const known = offsets.get(range)
      if (known === undefined) offsets.set(range, offset === undefined ? [] : [offset])
      else if (offset !== undefined) known.push(offset)
    }
    for (;;) {
      for (const range of offsets.keys()) if (!this.#has(range)) throw lost(groupId, range)
      const positions = this.#positions(offsets)
      try {
        if (records.length > 0) await transactors.run({ records, positions: [positions] })
        else await writePositions(this.#cluster, positions)
        return
      } catch (error) {
        // The member has been fenced meanwhile, and is another by now.
        if (positions.memberId !== member.id) throw lost(groupId, jobs[0]?.range as Range)
        if (error instanceof InDoubtError) {
          // It must not be done again by who has seen it fail: where the group stands is read anew, once it is decided.
          member.fence(mapped(error, 'commit'))
          throw lost(groupId, jobs[0]?.range as Range)
        }
        const isOver = clock.monotonicMs() >= deadlineMs
        if (hasCode(error, kafkaCodes.unknownMember, kafkaCodes.fencedMemberEpoch, kafkaCodes.fencedInstance)) {
          member.fence(mapped(error, 'commit'))
        } else if (isOver || !hasCode(error, kafkaCodes.staleMemberEpoch, kafkaCodes.illegalGeneration)) {
          throw error
        }
        // The group has moved on: as whom to write is in the answer to the next sign of life.
        await member.beat()
        await rest(clock, staleRestMs)
      }
    }
  }

  #positions(offsets: ReadonlyMap<Range, readonly number[]>): GroupPositions {
    const { groupId, topic, member } = this.#target
    return {
      groupId,
      memberId: member.id,
      epoch: member.epoch,
      instanceId: member.instanceId,
      topic,
      positions: [...offsets].map(([range, also]) => partitionPosition(range.partition, range.window.position(also))),
    }
  }
}

/** A range that is not the member's any more. */
export function lost(groupId: string, { name }: Range): PosthasteError {
  return new PosthasteError('DELIVERY_LOST', `range ${name} of ${groupId}: it belongs to another member by now`)
}
