import {
  type DeliveryTag,
  type EngineSubscription,
  type Outcome,
  PosthasteError,
  type Settlement,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { backoffCeilingMs } from '../../resilience/retry/backoff.ts'

const backoff = { baseMs: 50, factor: 2, maxMs: 10_000 }

interface Job {
  readonly settlement: Settlement
  /** The engine has it, or has taken the delivery back before. */
  readonly done: () => void
}

/**
 * Settles what the core knows nothing of: deliveries that are parked, that were parked before, or that must wait until
 * something has run alone. Those of one turn in one call; again after growing waits, until the engine has answered.
 */
export class RawSettler {
  readonly #member: Promise<EngineSubscription>
  readonly #deps: FilterDeps
  #jobs: Job[] = []
  #unanswered = 0
  #failures = 0
  #isClosed = false

  constructor(member: Promise<EngineSubscription>, deps: FilterDeps) {
    this.#member = member
    this.#deps = deps
  }

  get isIdle(): boolean {
    return this.#unanswered === 0
  }

  acknowledge(tag: DeliveryTag, done: () => void): void {
    this.#add({ settlement: { kind: 'ack', tag }, done })
  }

  handBack(tag: DeliveryTag, done: () => void): void {
    this.#add({ settlement: { kind: 'release', tag, countsAttempt: false }, done })
  }

  /** Settles nothing more: the subscription is gone. */
  close(): void {
    this.#isClosed = true
    this.#jobs = []
    this.#unanswered = 0
  }

  #add(job: Job): void {
    if (this.#isClosed) return
    this.#unanswered += 1
    this.#jobs.push(job)
    if (this.#jobs.length === 1) queueMicrotask(() => void this.#flush())
  }

  async #flush(): Promise<void> {
    const jobs = this.#jobs
    this.#jobs = []
    if (jobs.length === 0) return
    const outcomes = await this.#settle(jobs.map(({ settlement }) => settlement))
    if (this.#isClosed) return
    const again: Job[] = []
    let error: unknown
    for (const [at, job] of jobs.entries()) {
      const outcome = outcomes[at]
      if (outcome?.ok || PosthasteError.is(outcome?.error, 'DELIVERY_LOST')) {
        this.#unanswered -= 1
        job.done()
      } else {
        error = outcome?.error
        again.push(job)
      }
    }
    if (again.length === 0) this.#failures = 0
    else this.#later(again, error)
  }

  #later(jobs: readonly Job[], error: unknown): void {
    const { log, timers, random, target } = this.#deps
    this.#failures += 1
    const delayMs = backoffCeilingMs(backoff, this.#failures) * (0.5 + random() / 2)
    log.warn('the engine did not settle what is parked; trying again', { target, count: jobs.length, delayMs, error })
    timers.set(delayMs, () => {
      if (this.#isClosed) return
      this.#unanswered -= jobs.length
      for (const job of jobs) this.#add(job)
    })
  }

  async #settle(settlements: readonly Settlement[]): Promise<readonly Outcome[]> {
    try {
      const member = await this.#member
      return await member.settle(settlements)
    } catch (thrown) {
      const error = PosthasteError.from(thrown, 'UNAVAILABLE', 'the engine could not settle')
      return settlements.map(() => ({ ok: false, error }))
    }
  }
}
