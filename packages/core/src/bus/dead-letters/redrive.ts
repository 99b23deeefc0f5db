import {
  type BrowsedRecord,
  type Browsing,
  type Clock,
  type OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import { pageOf } from '../administration/scanning.ts'
import type { Moving, RedriveProgress } from './selection.ts'

/** What was moved, and what was not. */
export interface RedriveReport {
  /** How many; in a dry run, how many would have been. */
  readonly moved: number
  /** What was asked for and not moved. */
  readonly failed: readonly RedriveFailure[]
  /**
   * Why it ended: it is `complete`; the `limit` is reached; it was `aborted`, by its signal or because the bus closes; or a
   * thousand `failures` say that something is wrong that has to be looked at first.
   */
  readonly end: 'complete' | 'limit' | 'aborted' | 'failures'
  /** Where to go on, as `after`. Undefined when it is complete, and when nothing was looked at before it was aborted. */
  readonly next: string | undefined
}

/** One dead letter that was not moved. */
export interface RedriveFailure {
  /** Undefined where it was asked for by position and is gone. */
  readonly id: string | undefined
  /** Undefined where it was asked for by id and is gone. */
  readonly position: string | undefined
  readonly error: PosthasteError
}

/** What a redrive is made of. */
export interface RedriveInit {
  /** Where the dead letters stand. */
  readonly channel: string
  /** For errors. */
  readonly engineName: string
  readonly browsing: Browsing
  readonly timers: TimerWheel
  readonly clock: Clock
  /** Aborted when the bus closes. */
  readonly closing: AbortSignal
  /** What takes the place of a dead letter; nothing where it is discarded. */
  readonly replace: (letter: OutgoingRecord) => readonly OutgoingRecord[]
}

const pageSize = 500
const failuresMax = 1_000
/** A rate is kept to within this part of a second. */
const stepsPerSecond = 10
/** How far the time at which an engine says a record was stored may be from ours. */
const skewMs = 5_000

/**
 * One pass over the dead letters, page by page, oldest first. Moving one removes it, so a pass that was interrupted is
 * begun again without harm.
 */
export class Redrive {
  readonly #init: RedriveInit
  readonly #moving: Moving
  readonly #startedAtMs: number
  readonly #failed: RedriveFailure[] = []
  /** Ids of what was chosen: all of them where they were asked for, those of the first seconds elsewhere. */
  readonly #chosenIds = new Set<string>()
  #looked = 0
  #chosen = 0
  #moved = 0
  #next: string | undefined
  /** Before which, on the monotonic clock, a rate lets nothing move. */
  #notBeforeMs = 0

  constructor(init: RedriveInit, moving: Moving) {
    this.#init = init
    this.#moving = moving
    this.#startedAtMs = init.clock.nowMs()
    this.#next = moving.after
  }

  async run(): Promise<RedriveReport> {
    const { browsing, channel } = this.#init
    const { finding, after } = this.#moving
    for (let from = after; ; from = this.#next) {
      if (this.#isAborted()) return this.#report('aborted')
      const page = await pageOf(browsing, { channel, limit: pageSize, after: from, match: finding.match })
      const end = await this.#page(page.records)
      if (end !== undefined) return this.#report(end)
      this.#next = page.next
      this.#tell()
      if (page.next === undefined || this.#hasAllPositions()) return this.#complete()
    }
  }

  /** Moves what is wanted of a page, step by step. @returns why it must not go on, if so */
  async #page(records: readonly BrowsedRecord[]): Promise<Exclude<RedriveReport['end'], 'complete'> | undefined> {
    const { limit, ratePerSecond } = this.#moving
    const stepMax = ratePerSecond === undefined ? pageSize : Math.max(1, Math.floor(ratePerSecond / stepsPerSecond))
    const chosen: BrowsedRecord[] = []
    for (const found of records) {
      this.#looked += 1
      if (!this.#choose(found)) continue
      chosen.push(found)
      if (this.#chosen >= limit) break
    }
    for (let at = 0; at < chosen.length; at += stepMax) {
      const step = chosen.slice(at, at + stepMax)
      if (!(await this.#turn(step.length))) return 'aborted'
      await this.#move(step)
      this.#next = step.at(-1)?.position
      if (this.#failed.length >= failuresMax) return 'failures'
      this.#tell()
    }
    return this.#chosen >= limit ? 'limit' : undefined
  }

  #choose(found: BrowsedRecord): boolean {
    const { by, wanted, finding } = this.#moving
    const { record, position } = found
    if (by === 'position' ? !wanted.delete(position) : this.#diedSince(found)) return false
    if (by === 'id' && !wanted.has(record.id)) return false
    if (finding.accepts !== undefined && !finding.accepts(found)) return false
    if (by === 'id' || this.#init.clock.nowMs() <= this.#startedAtMs + skewMs) this.#chosenIds.add(record.id)
    this.#chosen += 1
    return true
  }

  /** What dies again while it is redriven would go round in circles: it has had its turn. */
  #diedSince({ record, storedAtMs }: BrowsedRecord): boolean {
    if (storedAtMs > this.#startedAtMs) return true
    return storedAtMs >= this.#startedAtMs - skewMs && this.#chosenIds.has(record.id)
  }

  /** Waits for the rate. @returns false where it was aborted */
  async #turn(count: number): Promise<boolean> {
    const { ratePerSecond, signal } = this.#moving
    if (this.#isAborted()) return false
    if (ratePerSecond === undefined) return true
    const { clock, timers, closing } = this.#init
    const waitMs = this.#notBeforeMs - clock.monotonicMs()
    if (waitMs > 0) await pause(waitMs, timers, signal === undefined ? [closing] : [closing, signal])
    this.#notBeforeMs = clock.monotonicMs() + (count * 1_000) / ratePerSecond
    return !this.#isAborted()
  }

  #isAborted(): boolean {
    return this.#init.closing.aborted || this.#moving.signal?.aborted === true
  }

  async #move(chosen: readonly BrowsedRecord[]): Promise<void> {
    if (this.#moving.dryRun) {
      this.#moved += chosen.length
      return
    }
    const { browsing, channel, replace, engineName } = this.#init
    const moves = chosen.map(({ position, record }) => ({ position, publish: replace(record) }))
    const outcomes = await browsing.move(channel, moves)
    for (const [at, { position, record }] of chosen.entries()) {
      const outcome = outcomes[at]
      if (outcome?.ok === true) {
        this.#moved += 1
        continue
      }
      const silent = `engine ${engineName} did not say whether it moved ${record.id}`
      const error = outcome?.error ?? new PosthasteError('UNAVAILABLE', silent)
      this.#failed.push({ id: record.id, position, error })
    }
  }

  #tell(): void {
    const progress: RedriveProgress = {
      looked: this.#looked,
      moved: this.#moved,
      failed: this.#failed.length,
      next: this.#next,
    }
    this.#moving.onProgress?.(progress)
  }

  #hasAllPositions(): boolean {
    return this.#moving.by === 'position' && this.#moving.wanted.size === 0
  }

  #complete(): RedriveReport {
    this.#next = undefined
    this.#failed.push(...this.#missing())
    return this.#report('complete')
  }

  #report(end: RedriveReport['end']): RedriveReport {
    return { moved: this.#moved, failed: this.#failed, end, next: this.#next }
  }

  /** What was asked for by name and is not there; of a pass that began at the oldest, one that did not cannot know. */
  #missing(): RedriveFailure[] {
    const { by, wanted, after } = this.#moving
    if (by === 'where' || after !== undefined) return []
    const missing = [...wanted].filter((name) => by === 'position' || !this.#chosenIds.has(name))
    return missing.map((name) => {
      const error = new PosthasteError('NOT_FOUND', `${this.#init.channel}: there is no dead letter ${name}`)
      return by === 'id' ? { id: name, position: undefined, error } : { id: undefined, position: name, error }
    })
  }
}

/** Waits, and no longer than until one of the signals is aborted. */
function pause(waitMs: number, timers: TimerWheel, signals: readonly AbortSignal[]): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel()
      for (const signal of signals) signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = timers.set(waitMs, end)
    for (const signal of signals) signal.addEventListener('abort', end)
  })
}
