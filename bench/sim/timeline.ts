import type { Clock, Timer } from '@posthaste/contracts'

/** Kept before anything is put in its place: a macrotask comes after every microtask, however long their chain. */
const macrotask = setImmediate

interface Event extends Timer {
  readonly atMs: number
  /** Events of one moment happen in the order of being set. */
  readonly order: number
  fire: (() => void) | undefined
}

/** Where the monotonic time begins: away from zero and from the wall clock, so that a mix-up of the two shows. */
const monotonicStartMs = 1_000

/** Any fixed time does. 2026-01-01T00:00:00Z. */
const wallStartMs = 1_767_225_600_000

/**
 * The time of a simulation: a queue of events, and a clock that stands at the latest one. Between two events everything
 * that was promised and can go on does so; so the same events give the same figures, on any machine.
 */
export class Timeline implements Clock {
  /** A binary heap, the earliest first. */
  readonly #events: Event[] = []
  #elapsedMs = 0
  #order = 0

  /** Milliseconds since the simulation began. */
  get elapsedMs(): number {
    return this.#elapsedMs
  }

  nowMs(): number {
    return wallStartMs + this.#elapsedMs
  }

  monotonicMs(): number {
    return monotonicStartMs + this.#elapsedMs
  }

  setTimer(delayMs: number, fire: () => void): Timer {
    const event: Event = {
      atMs: this.#elapsedMs + (delayMs > 0 ? delayMs : 0),
      order: this.#order++,
      fire,
      cancel() {
        event.fire = undefined
      },
    }
    this.#push(event)
    return event
  }

  /** Lets happen what is due until then, each event at its own time, and leaves the clock there. */
  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#events[0]; next !== undefined && next.atMs <= endMs; next = this.#events[0]) {
      this.#pop()
      if (next.fire === undefined) continue
      this.#elapsedMs = next.atMs
      next.fire()
      await new Promise<void>((resolve) => macrotask(resolve))
    }
    this.#elapsedMs = Math.max(this.#elapsedMs, endMs)
  }

  #push(event: Event): void {
    const events = this.#events
    let at = events.push(event) - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(event, events[parent]!)) break
      events[at] = events[parent]!
      at = parent
    }
    events[at] = event
  }

  #pop(): void {
    const events = this.#events
    const last = events.pop()!
    if (events.length === 0) return
    let at = 0
    for (let child = 1; child < events.length; child = 2 * at + 1) {
      if (child + 1 < events.length && isBefore(events[child + 1]!, events[child]!)) child++
      if (!isBefore(events[child]!, last)) break
      events[at] = events[child]!
      at = child
    }
    events[at] = last
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order)
}
