import type {
  Call,
  Filter,
  FilterDescription,
  FilterSnapshot,
  MaybePromise,
  PosthasteError,
  Service,
} from '@posthaste/contracts'
import {
  choiceOption,
  durationOption,
  integerOption,
  type OptionsSpec,
  readOptions,
  required,
} from '../../pipeline/options.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { Line, type Waiter } from './line.ts'
import { fullRecheckMs, overloaded, Slots, type WaitingRoom } from './slots.ts'

/** How many calls may be under way at a time, and how many may wait. */
export interface BulkheadOptions {
  /** Calls at a time, 1 to 1,000,000. */
  readonly concurrency: number
  /** Calls that may wait for one of them to end, 0 to 1,000,000. Default: 0. */
  readonly queue?: number | undefined
  /**
   * How long a call waits at most, in milliseconds, from 1; less if its own deadline is earlier. Messages wait until they have
   * a slot. Default: 1,000.
   */
  readonly queueTimeoutMs?: number | undefined
  /**
   * Who is next. `fifo`: who has waited for longest. `adaptive`: the same while little waits, and whoever came last while
   * more than half of the queue is taken or it has not been empty for 100 ms: then the callers of those that have waited for
   * long are about to give up, and serving them would be work for nobody. Default: `fifo`.
   */
  readonly order?: 'fifo' | 'adaptive' | undefined
}

interface Settings {
  readonly concurrency: number
  readonly queue: number
  readonly queueTimeoutMs: number
  readonly order: 'fifo' | 'adaptive'
}

const spec: OptionsSpec<Settings> = {
  options: {
    concurrency: required(integerOption(1, { min: 1, max: 1_000_000 })),
    queue: integerOption(0, { min: 0, max: 1_000_000 }),
    queueTimeoutMs: durationOption(1_000, { min: 1 }),
    order: choiceOption('fifo', ['fifo', 'adaptive']),
  },
}

/** A queue that has not been empty for this long does not dissolve by itself. */
const standingMs = 100

/**
 * Bounds how many calls are under way at a time, so that one slow callee does not take all that a process has. What is too
 * much waits in a bounded queue, or is refused with OVERLOADED, `notSent` and `retryAfterMs`; a call whose own deadline
 * passes while it waits fails with DEADLINE_EXCEEDED and `notSent`, and one that is cancelled leaves the queue at once. A
 * slot is held until the work has ended, though its caller may have given up before; a stream has ended with its head
 * (around methods of services, with its end), and an attempt with the timeout that stands inside of this.
 *
 * While all slots are taken a consumer takes no messages on; those that were on their way by then wait in the queue. The same
 * value may stand around several services and consumers: then they share the slots.
 *
 * Tells `refused` (`waiting`) and `queueTimedOut` (`waitedMs`, `by`: `queue` or `deadline`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see Nygard, "Release It!" (2nd ed.), ch. 5; Maurer, "Fail at Scale" (ACM Queue, 2015) for the adaptive order
 */
export function bulkhead(options: BulkheadOptions, deps: FilterDeps): Filter {
  return new Bulkhead(readOptions('bulkhead', options, spec), deps)
}

class Bulkhead implements Filter {
  readonly role = 'bulkhead'
  readonly #settings: Settings
  readonly #queue: Queue
  readonly #slots: Slots

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#queue = new Queue(settings, deps)
    this.#slots = new Slots(settings.concurrency, this.#queue, deps)
  }

  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    return this.#slots.admit(call, next)
  }

  notReadyForMs(): number {
    return this.#slots.full ? fullRecheckMs : 0
  }

  onceReady(wake: () => void): () => void {
    return this.#slots.onceFree(wake)
  }

  describe(): FilterDescription {
    return { role: this.role, ...this.#settings }
  }

  snapshot(): FilterSnapshot {
    const { running, peak } = this.#slots
    return { role: this.role, running, peak, ...this.#queue.figures() }
  }
}

class Queue implements WaitingRoom {
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #line = new Line()
  /** Since when it has not been empty. */
  #standsSinceMs = 0
  #peak = 0
  #refused = 0
  #timedOut = 0
  #cancelled = 0

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  get length(): number {
    return this.#line.length
  }

  /** A message that a consumer has taken on is nobody's who gives up: to send it round would only have it wait elsewhere. */
  timeoutMs({ kind }: Call): number {
    return kind === 'handle' ? Number.POSITIVE_INFINITY : this.#settings.queueTimeoutMs
  }

  figures(): Readonly<Record<string, number>> {
    const turnedAway = { refused: this.#refused, timedOut: this.#timedOut, cancelled: this.#cancelled }
    return { waiting: this.length, waitingPeak: this.#peak, ...turnedAway }
  }

  enter(waiter: Waiter): void {
    const line = this.#line
    if (line.length >= this.#settings.queue) throw this.#refusal(waiter.call)
    if (line.length === 0) this.#standsSinceMs = waiter.sinceMs
    line.add(waiter)
    if (line.length > this.#peak) this.#peak = line.length
  }

  next(): Waiter | undefined {
    return this.#newestFirst() ? this.#line.newest : this.#line.oldest
  }

  leave(waiter: Waiter): void {
    this.#line.remove(waiter)
  }

  timedOut({ call, sinceMs }: Waiter): PosthasteError {
    this.#tellTimedOut(sinceMs, 'queue')
    return this.#overloaded(`${call.target}: waited for one of ${this.#settings.concurrency} calls to end, in vain`)
  }

  gaveUp({ sinceMs }: Waiter, by: 'cancellation' | 'deadline'): void {
    if (by === 'cancellation') this.#cancelled += 1
    else this.#tellTimedOut(sinceMs, by)
  }

  #newestFirst(): boolean {
    const { order, queue } = this.#settings
    if (order === 'fifo') return false
    return this.length * 2 > queue || this.#deps.clock.monotonicMs() - this.#standsSinceMs >= standingMs
  }

  #tellTimedOut(sinceMs: number, by: 'queue' | 'deadline'): void {
    this.#timedOut += 1
    const { clock, onEvent } = this.#deps
    if (onEvent === undefined) return
    tell(this.#deps, { role: 'bulkhead', kind: 'queueTimedOut', waitedMs: clock.monotonicMs() - sinceMs, by })
  }

  #refusal({ target }: Call): PosthasteError {
    this.#refused += 1
    const waiting = this.length
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: 'bulkhead', kind: 'refused', waiting })
    return this.#overloaded(`${target}: ${this.#settings.concurrency} calls are under way and ${waiting} wait`)
  }

  #overloaded(message: string): PosthasteError {
    return overloaded(message, this.#settings.queueTimeoutMs, this.#deps)
  }
}
