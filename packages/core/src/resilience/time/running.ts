import type { Call, PosthasteError } from '@posthaste/contracts'
import { type CancelSource, releaseAfter } from '../../pipeline/cancellation.ts'
import { follow } from '../../pipeline/continuation.ts'
import { FreeList } from '../../pipeline/free-list.ts'
import { noteStillRunning } from '../../pipeline/still-running.ts'
import type { ReusableTimer, TimerWheel } from '../../pipeline/timer-wheel.ts'

/** Whoever bounds calls in time. */
export interface Expiry {
  /** The time of a call is up, that of its deadline: counts it, and says what it fails with. */
  expired(call: Call, startedAtMs: number): PosthasteError
}

/**
 * An asynchronous call under a time limit: its timer, its handlers and the way to settle its promise, all used again for
 * the next call on the same wheel.
 *
 * It goes back to the free ones when the answer settles, in time or not, and never before: the handlers that the answer
 * has are then used up, and the timer has fired or is cancelled. So nothing of one call can reach the next. Of a call whose
 * answer never comes, it goes the way of the promise.
 */
export class Running {
  readonly #free: FreeList<Running>
  readonly #timer: ReusableTimer
  expiry: Expiry | undefined = undefined
  startedAtMs = 0
  /** The inner call; undefined once its time is up. */
  #call: Call | undefined = undefined
  #answer: PromiseLike<unknown> | undefined = undefined
  #source: CancelSource | undefined = undefined
  #resolve: ((value: unknown) => void) | undefined = undefined
  #reject: ((thrown: unknown) => void) | undefined = undefined

  constructor(timers: TimerWheel, free: FreeList<Running>) {
    this.#free = free
    this.#timer = timers.reusable(() => this.#expire())
  }

  /** The outcome of `answer`, or the failure of the expiry if the deadline of the inner call comes first. */
  follow<R>(answer: PromiseLike<R>, call: Call, source: CancelSource): Promise<R> {
    this.#call = call
    this.#answer = answer
    this.#source = source
    const outcome = new Promise(this.#settleLater)
    this.#timer.setFor(call.deadlineAtMs, this.startedAtMs)
    void follow(answer as PromiseLike<unknown>, this.#onValue, this.#onThrown)
    return outcome as Promise<R>
  }

  readonly #settleLater = (resolve: (value: unknown) => void, reject: (thrown: unknown) => void): void => {
    this.#resolve = resolve
    this.#reject = reject
  }

  readonly #onValue = (value: unknown): void => {
    if (this.#source !== undefined) releaseAfter(this.#source, value)
    const resolve = this.#resolve
    this.#release()
    resolve?.(value)
  }

  readonly #onThrown = (thrown: unknown): void => {
    this.#source?.release()
    const reject = this.#reject
    this.#release()
    reject?.(thrown)
  }

  /** The time is up: settles, and leaves the handlers in place, so that a late rejection is handled by nobody caring. */
  #expire(): void {
    const call = this.#call
    const expiry = this.expiry
    const answer = this.#answer
    const source = this.#source
    const reject = this.#reject
    this.#forget()
    if (call === undefined || expiry === undefined) return
    const failure = expiry.expired(call, this.startedAtMs)
    if (answer !== undefined) noteStillRunning(failure, answer)
    reject?.(failure)
    source?.cancel(failure)
  }

  #release(): void {
    this.#timer.cancel()
    this.#forget()
    this.#free.give(this)
  }

  /** Lets go of everything that belongs to the call. */
  #forget(): void {
    this.expiry = undefined
    this.#call = undefined
    this.#answer = undefined
    this.#source = undefined
    this.#resolve = undefined
    this.#reject = undefined
  }
}

/** As many calls under a limit at a time find theirs made; more than that make their own. */
const freeMax = 1_024

const freeByWheel = new WeakMap<TimerWheel, FreeList<Running>>()

/** The free ones of a wheel: a timer belongs to its wheel. */
export function runningOn(timers: TimerWheel): FreeList<Running> {
  const known = freeByWheel.get(timers)
  if (known !== undefined) return known
  const free = new FreeList<Running>(freeMax)
  freeByWheel.set(timers, free)
  return free
}
