import type { Clock, Timer } from '@posthaste/contracts'
import type { LimitSettings } from './limits.ts'

/** What has to be looked after from time to time. */
interface Swept {
  sweep(nowMs: number): void
}

const sweepMsMost = 1_000
const sweepMsLeast = 10

/** Looks after any number of connections with one timer, and with none while there are none. */
export class Sweeper<T extends Swept> {
  readonly #clock: Clock
  readonly #everyMs: number
  readonly #members = new Set<T>()
  #timer: Timer | undefined

  constructor(clock: Clock, { keepaliveMs, keepaliveTimeoutMs, handshakeMs, stallMs }: LimitSettings) {
    this.#clock = clock
    const shortestMs = Math.min(keepaliveMs, keepaliveTimeoutMs, handshakeMs, stallMs)
    this.#everyMs = Math.max(sweepMsLeast, Math.min(sweepMsMost, shortestMs / 5))
  }

  get size(): number {
    return this.#members.size
  }

  /** All of them, as they are now. */
  members(): readonly T[] {
    return [...this.#members]
  }

  add(member: T): void {
    this.#members.add(member)
    this.#timer ??= this.#clock.setTimer(this.#everyMs, this.#sweep)
  }

  remove(member: T): void {
    this.#members.delete(member)
    if (this.#members.size > 0) return
    this.#timer?.cancel()
    this.#timer = undefined
  }

  readonly #sweep = (): void => {
    this.#timer = undefined
    const nowMs = this.#clock.monotonicMs()
    for (const member of this.#members) member.sweep(nowMs)
    if (this.#members.size > 0) this.#timer ??= this.#clock.setTimer(this.#everyMs, this.#sweep)
  }
}
