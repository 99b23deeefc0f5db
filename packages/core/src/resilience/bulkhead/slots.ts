import { type Call, type MaybePromise, PosthasteError, type Service } from '@posthaste/contracts'
import { follow } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { stillRunning } from '../../pipeline/still-running.ts'
import { Waiter } from './line.ts'
import { Turns } from './turns.ts'

/** While all slots are taken, it is worth asking again this soon, in milliseconds: nobody can say when work ends. */
export const fullRecheckMs = 10

/** A refusal that asks to come again in about so long; those that are refused together should not come back together. */
export function overloaded(message: string, aboutMs: number, { random }: FilterDeps): PosthasteError {
  return new PosthasteError('OVERLOADED', message, {
    retryAfterMs: Math.ceil(aboutMs * (0.5 + random())),
    notSent: true,
  })
}

/** Where calls wait for a slot: who may, for how long, and who is next. */
export interface WaitingRoom {
  /** How many wait. */
  readonly length: number
  /** How long a call may wait here, in milliseconds; `Infinity` for as long as its caller does. */
  timeoutMs(call: Call): number
  /** Puts it into its line. @throws what it fails with, where there is no place for it */
  enter(waiter: Waiter): void
  /** Whose turn it is; still in its line. May turn others away. Undefined if nobody's. */
  next(): Waiter | undefined
  /** Takes it out of its line, whether it has its turn or is turned away. */
  leave(waiter: Waiter): void
  /** It has waited for as long as it may here. @returns what it fails with */
  timedOut(waiter: Waiter): PosthasteError
  /** Told that it does not wait any more, because its caller does not. */
  gaveUp(waiter: Waiter, by: 'cancellation' | 'deadline'): void
}

/**
 * A number of calls at a time. A slot is taken until the work has ended: neither a caller who has given up frees it nor a
 * time limit that stands inside, of several attempts that of the last one; an answer that is a stream has ended with its
 * head. A slot that becomes free goes to whoever waits, before anybody new.
 */
export class Slots {
  readonly #concurrency: number
  readonly #room: WaitingRoom
  readonly #deps: FilterDeps
  // Made once, so that no call needs closures of its own.
  readonly #onValue = <R>(value: R): R => {
    this.#leave()
    return value
  }
  readonly #onThrown = (thrown: unknown): never => {
    const work = stillRunning(thrown)
    if (work === undefined) this.#leave()
    else void follow(work, this.#onLate, this.#onLate)
    throw thrown
  }
  /** The work of a call has ended whose time was over before, inside of here. */
  readonly #onLate = (): void => this.#leave()
  readonly #turns = new Turns()
  #running = 0
  #peak = 0
  #filling = false

  constructor(concurrency: number, room: WaitingRoom, deps: FilterDeps) {
    this.#concurrency = concurrency
    this.#room = room
    this.#deps = deps
  }

  get running(): number {
    return this.#running
  }

  /** The most that ever ran at a time. */
  get peak(): number {
    return this.#peak
  }

  /** Whether all are taken. */
  get full(): boolean {
    return this.#running >= this.#concurrency
  }

  /** Hot path: where a slot is free, a call costs counting up and down, and one promise if it is asynchronous. */
  admit<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const free = this.#running < this.#concurrency && this.#room.length === 0
    return free ? this.#run(call, next) : this.#wait(call, next)
  }

  #run<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    this.#running += 1
    if (this.#running > this.#peak) this.#peak = this.#running
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      this.#leave()
      throw thrown
    }
    return isPromiseLike(result) ? follow(result, this.#onValue<R>, this.#onThrown) : this.#onValue(result)
  }

  /** Has `wake` called when a slot is free that nobody waits for. @returns takes it back */
  onceFree(wake: () => void): () => void {
    return this.#turns.add(wake)
  }

  #leave(): void {
    this.#running -= 1
    if (this.#filling) return
    if (this.#room.length > 0) this.#fill()
    if (!this.full) this.#turns.next()
  }

  /** A loop and not a recursion: what is begun here may have ended before `begin` returns. */
  #fill(): void {
    this.#filling = true
    try {
      while (this.#running < this.#concurrency) {
        const waiter = this.#room.next()
        if (waiter === undefined) return
        waiter.begin()
      }
    } finally {
      this.#filling = false
    }
  }

  #wait<P, R>(call: Call<P>, next: Service<P, R>): Promise<R> {
    if (call.cancellation.reason !== undefined) throw call.cancellation.reason
    const { timers, clock } = this.#deps
    const nowMs = clock.monotonicMs()
    const leftMs = call.deadlineAtMs - nowMs
    if (leftMs <= 0) throw outOfTime(call)
    const waiter = new Waiter(call, nowMs)
    this.#room.enter(waiter)
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#room.timeoutMs(call)
      const timer = timers.set(Math.min(leftMs, timeoutMs), () => {
        waiter.turnAway(leftMs < timeoutMs ? this.#outOfTime(waiter) : this.#room.timedOut(waiter))
      })
      const stopListening = call.cancellation.onCancel((reason) => {
        // A deadline outside of this one may be told of first.
        this.#room.gaveUp(waiter, reason.code === 'DEADLINE_EXCEEDED' ? 'deadline' : 'cancellation')
        waiter.turnAway(reason)
      })
      const leave = (): void => {
        this.#room.leave(waiter)
        timer.cancel()
        stopListening()
      }
      waiter.turnAway = (reason) => {
        leave()
        reject(reason)
      }
      waiter.begin = () => {
        leave()
        try {
          resolve(this.#run(call, next))
        } catch (thrown) {
          reject(thrown)
        }
      }
    })
  }

  #outOfTime(waiter: Waiter): PosthasteError {
    this.#room.gaveUp(waiter, 'deadline')
    return outOfTime(waiter.call)
  }
}

function outOfTime(call: Call): PosthasteError {
  return new PosthasteError('DEADLINE_EXCEEDED', `${call.target}: no time was left to begin`, { notSent: true })
}
