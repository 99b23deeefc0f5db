import { type EngineSubscription, type Outcome, PosthasteError, type Settlement } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { backoffCeilingMs } from '../../resilience/retry/backoff.ts'
import type { Work } from './work.ts'

/** What is told of settlements. Each work that was added is told of once. */
export interface SettlerEvents {
  /** The engine has it. `works` of one batch. */
  settled(works: readonly Work[]): void
  /** The delivery belonged to somebody else by then. */
  lost(work: Work): void
  /**
   * The engine refuses the settlement for good.
   * @returns what to settle it with instead; the same again to go on trying
   */
  refused(work: Work, settlement: Settlement, error: PosthasteError): Settlement
  /** One of the above threw: a bug of the core's own. */
  broke(thrown: unknown): void
}

const backoff = { baseMs: 100, factor: 2, maxMs: 30_000 }

/**
 * Settles in batches: what is added within one turn goes to the engine in one call, in the order of adding. What the
 * engine fails to settle is kept and tried again after growing waits: never dropped, never in a tight loop.
 */
export class Settler {
  readonly #member: EngineSubscription
  readonly #deps: FilterDeps
  readonly #events: SettlerEvents
  #works: Work[] = []
  #settlements: Settlement[] = []
  #unanswered = 0
  #closed = false

  constructor(member: EngineSubscription, deps: FilterDeps, events: SettlerEvents) {
    this.#member = member
    this.#deps = deps
    this.#events = events
  }

  /** Hot path: two pushes; one microtask and one promise per batch. */
  add(work: Work, settlement: Settlement): void {
    if (this.#works.length === 0) queueMicrotask(() => this.#flush())
    this.#works.push(work)
    this.#settlements.push(settlement)
    this.#unanswered += 1
  }

  /** How many settlements the engine has not taken yet. */
  get unanswered(): number {
    return this.#closed ? 0 : this.#unanswered
  }

  /** Settles nothing more: the subscription is gone, and all its deliveries with it. */
  close(): void {
    this.#closed = true
    this.#works = []
    this.#settlements = []
  }

  #flush(): void {
    const works = this.#works
    const settlements = this.#settlements
    this.#works = []
    this.#settlements = []
    if (this.#closed || works.length === 0) return
    const failed = (thrown: unknown): void => this.#failedTogether(works, settlements, thrown)
    try {
      this.#member
        .settle(settlements)
        .then((outcomes) => this.#answered(works, settlements, outcomes), failed)
        .catch((thrown) => this.#events.broke(thrown))
    } catch (thrown) {
      // An engine that throws instead of rejecting must not bring the process down.
      this.#events.broke(thrown)
    }
  }

  #answered(works: readonly Work[], settlements: readonly Settlement[], outcomes: readonly Outcome[]): void {
    if (this.#closed) return
    if (outcomes.length === works.length && outcomes.every((outcome) => outcome.ok)) {
      this.#unanswered -= works.length
      this.#events.settled(works)
    } else this.#answeredPartly(works, settlements, outcomes)
  }

  #answeredPartly(works: readonly Work[], settlements: readonly Settlement[], outcomes: readonly Outcome[]): void {
    const settled: Work[] = []
    const again: Again[] = []
    for (const [at, work] of works.entries()) {
      const outcome = outcomes[at] ?? unanswered
      if (outcome.ok) settled.push(work)
      else if (PosthasteError.is(outcome.error, 'DELIVERY_LOST')) {
        this.#unanswered -= 1
        this.#events.lost(work)
      } else again.push({ work, settlement: settlements[at]!, error: outcome.error })
    }
    this.#unanswered -= settled.length
    if (settled.length > 0) this.#events.settled(settled)
    this.#later(again)
  }

  #failedTogether(works: readonly Work[], settlements: readonly Settlement[], thrown: unknown): void {
    if (this.#closed) return
    const error = PosthasteError.from(thrown, 'UNAVAILABLE', 'the engine could not settle')
    this.#later(works.map((work, at) => ({ work, settlement: settlements[at]!, error })))
  }

  /** One timer for all that failed together. */
  #later(failures: readonly Again[]): void {
    if (failures.length === 0) return
    const again: Again[] = []
    let refusals = 0
    for (const { work, settlement, error } of failures) {
      const next = error.verdict === 'permanent' ? this.#events.refused(work, settlement, error) : settlement
      work.refusals = next === settlement ? work.refusals + 1 : 0
      refusals = Math.max(refusals, work.refusals)
      again.push({ work, settlement: next, error })
    }
    const { log, timers, random, target } = this.#deps
    // Half of the wait is certain: a wait drawn near zero would be a loop.
    const delayMs = refusals === 0 ? 0 : backoffCeilingMs(backoff, refusals) * (0.5 + random() / 2)
    const { error } = again[0]!
    log.warn('the engine did not settle; trying again', { target, count: again.length, delayMs, error })
    timers.set(delayMs, () => {
      // Already counted as unanswered.
      this.#unanswered -= this.#closed ? 0 : again.length
      if (!this.#closed) for (const { work, settlement } of again) this.add(work, settlement)
    })
  }
}

/** A settlement that failed and stays to be made. */
interface Again {
  readonly work: Work
  readonly settlement: Settlement
  readonly error: PosthasteError
}

const unanswered: Outcome = {
  ok: false,
  error: new PosthasteError('UNAVAILABLE', 'the engine answered fewer settlements than it was given'),
}
