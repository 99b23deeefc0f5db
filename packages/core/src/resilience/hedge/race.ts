import { type Call, type MaybePromise, PosthasteError, type Service, verdictOf } from '@posthaste/contracts'
import { type CancelSource, cancelSource, releaseAfter } from '../../pipeline/cancellation.ts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import type { FreeList } from '../../pipeline/free-list.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { ReusableTimer, TimerWheel } from '../../pipeline/timer-wheel.ts'

/** Whoever lets attempts race, and counts them. */
export interface RaceHost {
  /** Attempts at most, the first included. */
  readonly attemptsMax: number
  /** Monotonic, in milliseconds. */
  nowMs(): number
  /** Asked before each attempt beyond the first: whether there may be one now. */
  mayHedge(call: Call): boolean
  /** Such an attempt begins, as number `attempt`, from 2, `delayMs` after the one before. */
  hedged(call: Call, attempt: number, delayMs: number): void
  /** The race has an answer, from attempt number `attempt`; the first one began at `startedAtMs`, and may still run. */
  answered(call: Call, attempt: number, startedAtMs: number): void
}

/** What is raced for. */
export interface Course<P = unknown, R = unknown> {
  readonly host: RaceHost
  readonly call: Call<P>
  readonly next: Service<P, R>
  /** Milliseconds from one attempt to the next. */
  readonly delayMs: number
  /** Monotonic. */
  readonly startedAtMs: number
}

/** An attempt under way. */
interface Runner {
  readonly attempt: number
  readonly source: CancelSource
}

/**
 * One call and its attempts beside each other: the first answer wins, and so does a failure that no repetition would
 * change; the others are cancelled. Where all fail, the outcome is how the first attempt did: others may have been refused for its
 * sake.
 *
 * Used again for other calls, and not before every attempt has ended, losers included: whoever still knows of this race
 * then is gone.
 */
export class Race implements Continuation<Runner> {
  readonly #free: FreeList<Race>
  readonly #timer: ReusableTimer
  /** Attempts whose end counts. */
  readonly #runners: Runner[] = []
  #course: Course | undefined = undefined
  #resolve: ((value: unknown) => void) | undefined = undefined
  #reject: ((thrown: unknown) => void) | undefined = undefined
  #begun = 0
  /** Attempts that have not ended yet, whether their end counts or not. */
  #pending = 0
  /** How the first attempt failed, once it did. */
  #failure: unknown = undefined

  constructor(timers: TimerWheel, free: FreeList<Race>) {
    this.#free = free
    this.#timer = timers.reusable(() => this.#hedge())
  }

  /** Begins with the first attempt, whose answer is not there yet. */
  run<P, R>(course: Course<P, R>, answer: PromiseLike<R>, source: CancelSource): Promise<R> {
    this.#course = course as Course
    const outcome = new Promise(this.#settleLater)
    this.#timer.setFor(course.startedAtMs + course.delayMs, course.startedAtMs)
    this.#join(answer, { attempt: ++this.#begun, source })
    return outcome as Promise<R>
  }

  succeeded(value: unknown, runner: Runner): void {
    this.#pending -= 1
    this.#win(value, runner)
    this.#releaseIfOver()
  }

  failed(thrown: unknown, runner: Runner): void {
    this.#pending -= 1
    this.#lose(thrown, runner)
    this.#releaseIfOver()
  }

  readonly #settleLater = (resolve: (value: unknown) => void, reject: (thrown: unknown) => void): void => {
    this.#resolve = resolve
    this.#reject = reject
  }

  #join(answer: PromiseLike<unknown>, runner: Runner): void {
    this.#runners.push(runner)
    this.#pending += 1
    // Never rejects: both ends of the continuation swallow what they are told.
    void continueWith(answer, this, runner)
  }

  /** The time of the latest attempt is up. */
  #hedge(): void {
    const course = this.#course
    if (course === undefined || !course.host.mayHedge(course.call)) return
    const { host, call, next, delayMs } = course
    const runner = { attempt: ++this.#begun, source: cancelSource(call.cancellation) }
    host.hedged(call, runner.attempt, delayMs)
    // From now, not from the beginning: after a pause of the process all of them would be due together.
    const nowMs = host.nowMs()
    if (this.#begun < host.attemptsMax) this.#timer.setFor(nowMs + delayMs, nowMs)
    let result: MaybePromise<unknown>
    try {
      result = next(call.derive({ cancellation: runner.source.token }))
    } catch (thrown) {
      this.#lose(thrown, runner)
      return
    }
    if (isPromiseLike(result)) this.#join(result, runner)
    else this.#win(result, runner)
  }

  #win(value: unknown, runner: Runner): void {
    const course = this.#course
    if (course === undefined) return
    course.host.answered(course.call, runner.attempt, course.startedAtMs)
    releaseAfter(runner.source, value)
    const resolve = this.#resolve
    const losers = this.#end(runner)
    resolve?.(value)
    cancelAll(losers, course.call)
  }

  #lose(thrown: unknown, runner: Runner): void {
    runner.source.release()
    const course = this.#course
    if (course === undefined) return
    if (runner.attempt === 1) this.#failure = thrown
    const at = this.#runners.indexOf(runner)
    if (at >= 0) this.#runners.splice(at, 1)
    const final = verdictOf(thrown) !== 'retryable'
    if (!final && this.#runners.length > 0) return
    const outcome = final ? thrown : this.#failure
    const reject = this.#reject
    const losers = this.#end(runner)
    reject?.(outcome)
    cancelAll(losers, course.call)
  }

  /** The outcome is known: lets go of everything that belongs to the call, and tells who runs for nothing. */
  #end(decisive: Runner): readonly Runner[] {
    this.#timer.cancel()
    const alone = this.#runners.length === 0 || (this.#runners.length === 1 && this.#runners[0] === decisive)
    const losers = alone ? nobody : this.#runners.filter((runner) => runner !== decisive)
    this.#runners.length = 0
    this.#course = undefined
    this.#resolve = undefined
    this.#reject = undefined
    this.#failure = undefined
    this.#begun = 0
    return losers
  }

  #releaseIfOver(): void {
    if (this.#pending === 0 && this.#course === undefined) this.#free.give(this)
  }
}

const nobody: readonly Runner[] = []

function cancelAll(runners: readonly Runner[], call: Call): void {
  if (runners.length === 0) return
  const reason = new PosthasteError('CANCELLED', `${call.target}: another attempt of the call has ended it`)
  for (const { source } of runners) source.cancel(reason)
}
