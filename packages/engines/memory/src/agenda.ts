import type { Clock, Timer } from '@posthaste/contracts'
import { Heap } from './heap.ts'

/** Something that happens at a time. */
export interface Appointment {
  readonly atMs: number
  readonly keep: () => void
}

/**
 * Due times are wall-clock times, and the wall clock may be set while a timer runs; so the clock is looked at again at
 * least this often. It also keeps delays of months within what timers can count.
 */
const lookAgainMs = 60_000

/** What is to happen when, with one timer for the earliest of it. Appointments outlive a stop and a new start. */
export class Agenda {
  readonly #appointments = new Heap<Appointment>((a, b) => a.atMs < b.atMs)
  #clock: Clock | undefined
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  start(clock: Clock): void {
    this.#clock = clock
    this.#arm()
  }

  stop(): void {
    this.#disarm()
    this.#clock = undefined
  }

  /** Calls `keep` once it is `atMs`, never before. */
  add(atMs: number, keep: () => void): Appointment {
    const appointment = { atMs, keep }
    this.#appointments.push(appointment)
    this.#arm()
    return appointment
  }

  remove(appointment: Appointment): void {
    this.#appointments.remove(appointment)
  }

  removeAll(appointments: ReadonlySet<Appointment>): void {
    this.#appointments.removeWhere((appointment) => appointments.has(appointment))
  }

  #arm(): void {
    const next = this.#appointments.peek()
    if (this.#clock === undefined || next === undefined || next.atMs >= this.#timerAtMs) return
    this.#disarm()
    const delayMs = Math.min(Math.max(0, next.atMs - this.#clock.nowMs()), lookAgainMs)
    this.#timerAtMs = next.atMs
    this.#timer = this.#clock.setTimer(delayMs, () => this.#ring())
  }

  #disarm(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerAtMs = Number.POSITIVE_INFINITY
  }

  #ring(): void {
    this.#disarm()
    for (;;) {
      const next = this.#appointments.peek()
      if (this.#clock === undefined || next === undefined || next.atMs > this.#clock.nowMs()) break
      this.#appointments.pop()
      next.keep()
    }
    this.#arm()
  }
}
