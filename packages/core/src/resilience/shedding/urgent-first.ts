import type { Call, PosthasteError } from '@posthaste/contracts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { Line, type Waiter } from '../bulkhead/line.ts'
import { overloaded, type WaitingRoom } from '../bulkhead/slots.ts'
import { urgencyLevel, urgencyLevels } from './urgency.ts'

/** How a queue sheds. */
export interface UrgentFirstSettings {
  /** How many may wait. */
  readonly queue: number
  readonly queueTimeoutMs: number
  /** How long calls may wait while the queue does not dissolve, in milliseconds. */
  readonly targetMs: number
  /** A queue that has not been empty for this long does not dissolve by itself, in milliseconds. */
  readonly intervalMs: number
  /** From 0, the most urgent, to 7. */
  readonly urgency: (call: Call) => number
}

/** Why a call was shed: a more urgent one took its place, it had waited for too long, or there was no place for it. */
export type ShedBy = 'priority' | 'age' | 'full'

/**
 * A queue with a line for each level of urgency: who is more urgent is next, and of equals who has waited for longer.
 *
 * When it is full, the latest of the least urgent makes room for whoever is more urgent. When it has not been empty for the
 * interval, whoever has waited for longer than the target is shed as soon as a slot becomes free, but for the latest of the
 * most urgent: the slot is for that one if for nobody else. So what is served has been waiting for a short time only, and
 * what is shed knows soon, however much comes in.
 *
 * @see Maurer, "Fail at Scale" (ACM Queue, 2015); Nichols and Jacobson, "Controlling Queue Delay" (ACM Queue, 2012)
 */
export class UrgentFirst implements WaitingRoom {
  readonly shed: Record<ShedBy, number> = { priority: 0, age: 0, full: 0 }
  readonly #settings: UrgentFirstSettings
  readonly #deps: FilterDeps
  readonly #lines: readonly Line[] = Array.from({ length: urgencyLevels }, () => new Line())
  #length = 0
  #peak = 0
  #standsSinceMs = 0
  #cancelled = 0
  #late = 0

  constructor(settings: UrgentFirstSettings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  get length(): number {
    return this.#length
  }

  timeoutMs(): number {
    return this.#settings.queueTimeoutMs
  }

  /** Whether it does not dissolve by itself. */
  get standing(): boolean {
    return this.#isStanding(this.#deps.clock.monotonicMs())
  }

  figures(): Readonly<Record<string, unknown>> {
    const { length: waiting, standing } = this
    return {
      waiting,
      waitingPeak: this.#peak,
      standing,
      shed: { ...this.shed },
      cancelled: this.#cancelled,
      late: this.#late,
    }
  }

  enter(waiter: Waiter): void {
    waiter.level = urgencyLevel(this.#settings.urgency(waiter.call))
    if (this.#length >= this.#settings.queue && !this.#makeRoomFor(waiter.level)) throw this.#refusal(waiter, 'full')
    if (this.#length === 0) this.#standsSinceMs = waiter.sinceMs
    this.#lines[waiter.level]!.add(waiter)
    this.#length += 1
    if (this.#length > this.#peak) this.#peak = this.#length
  }

  next(): Waiter | undefined {
    const first = this.#lines.find(({ length }) => length > 0)
    const nowMs = this.#deps.clock.monotonicMs()
    if (first !== undefined && this.#isStanding(nowMs)) this.#shedUpTo(nowMs - this.#settings.targetMs, first)
    return first?.oldest
  }

  leave(waiter: Waiter): void {
    this.#lines[waiter.level]!.remove(waiter)
    this.#length -= 1
  }

  timedOut(waiter: Waiter): PosthasteError {
    return this.#refusal(waiter, 'age')
  }

  gaveUp(_: Waiter, by: 'cancellation' | 'deadline'): void {
    if (by === 'cancellation') this.#cancelled += 1
    else this.#late += 1
  }

  #isStanding(nowMs: number): boolean {
    return this.#length > 0 && nowMs - this.#standsSinceMs >= this.#settings.intervalMs
  }

  /** Sheds the latest of the least urgent, if that is less urgent than the given level. */
  #makeRoomFor(level: number): boolean {
    const least = this.#lines.findLast(({ length }) => length > 0)?.newest
    if (least === undefined || least.level <= level) return false
    least.turnAway(this.#refusal(least, 'priority'))
    return true
  }

  /** Sheds whoever has been waiting since before a time, but for the last one of the most urgent. */
  #shedUpTo(timeMs: number, first: Line): void {
    for (const line of this.#lines) {
      for (let oldest = line.oldest; oldest !== undefined && oldest.sinceMs < timeMs; oldest = line.oldest) {
        if (line === first && line.length === 1) break
        oldest.turnAway(this.#refusal(oldest, 'age'))
      }
    }
  }

  #refusal({ call, level, sinceMs }: Waiter, by: ShedBy): PosthasteError {
    this.shed[by] += 1
    const waitedMs = this.#deps.clock.monotonicMs() - sinceMs
    if (this.#deps.onEvent !== undefined)
      tell(this.#deps, { role: 'shedding', kind: 'shed', by, urgency: level, waitedMs })
    return overloaded(`${call.target}: ${reasons[by]}`, this.#settings.queueTimeoutMs, this.#deps)
  }
}

const reasons: Readonly<Record<ShedBy, string>> = {
  priority: 'too much is asked for, and more urgent calls go first',
  age: 'too much is asked for, and this call has waited for too long',
  full: 'too much is asked for, and too many wait already',
}
