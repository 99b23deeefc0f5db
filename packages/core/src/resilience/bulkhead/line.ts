import type { Call, PosthasteError } from '@posthaste/contracts'

/** A call that waits, and its place in a {@link Line}. It ends exactly once: it is begun, or it is turned away. */
export class Waiter {
  readonly call: Call
  readonly sinceMs: number
  /** The level of its line, where there is one for each. */
  level = 0
  before: Waiter | undefined = undefined
  behind: Waiter | undefined = undefined
  /** Runs its work; the place in the line is given up first. */
  begin: () => void = nothing
  /** Fails it; the place in the line is given up first. */
  turnAway: (reason: PosthasteError) => void = nothing

  constructor(call: Call, sinceMs: number) {
    this.call = call
    this.sinceMs = sinceMs
  }
}

/** Calls that wait, in the order in which they came: a doubly linked list, so that one in the middle leaves at once. */
export class Line {
  #length = 0
  #oldest: Waiter | undefined = undefined
  #newest: Waiter | undefined = undefined

  get length(): number {
    return this.#length
  }

  /** Who has waited for longest. */
  get oldest(): Waiter | undefined {
    return this.#oldest
  }

  /** Who has come last. */
  get newest(): Waiter | undefined {
    return this.#newest
  }

  add(waiter: Waiter): void {
    waiter.before = this.#newest
    if (this.#newest === undefined) this.#oldest = waiter
    else this.#newest.behind = waiter
    this.#newest = waiter
    this.#length += 1
  }

  remove(waiter: Waiter): void {
    if (waiter.before === undefined) this.#oldest = waiter.behind
    else waiter.before.behind = waiter.behind
    if (waiter.behind === undefined) this.#newest = waiter.before
    else waiter.behind.before = waiter.before
    waiter.before = undefined
    waiter.behind = undefined
    this.#length -= 1
  }
}

function nothing(): void {}
