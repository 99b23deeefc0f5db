import type { Clock, Timer } from '@posthaste/contracts'

/** No timer is set for longer, so that a jump of the wall clock is noticed. */
const timerMsMax = 60_000

interface Due<T> {
  readonly atMs: number
  readonly item: T
}

/** Things that wait for a wall-clock time: a binary heap and one timer, however many they are. */
export class DueQueue<T> {
  readonly #clock: Clock
  readonly #onDue: (items: readonly T[]) => void
  readonly #heap: Due<T>[] = []
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, onDue: (items: readonly T[]) => void) {
    this.#clock = clock
    this.#onDue = onDue
  }

  get size(): number {
    return this.#heap.length
  }

  add(atMs: number, item: T): void {
    const heap = this.#heap
    heap.push({ atMs, item })
    let at = heap.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (heap[parent]!.atMs <= heap[at]!.atMs) break
      this.#swap(at, parent)
      at = parent
    }
    this.#arm()
  }

  /** Nothing waits any more. */
  clear(): void {
    this.#timer?.cancel()
    this.#timerAtMs = Number.POSITIVE_INFINITY
    this.#heap.length = 0
  }

  #fire(): void {
    this.#timerAtMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.nowMs()
    const due: T[] = []
    while (this.#heap.length > 0 && this.#heap[0]!.atMs <= nowMs) due.push(this.#pop())
    this.#arm()
    if (due.length > 0) this.#onDue(due)
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || first.atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = first.atMs
    const delayMs = Math.min(timerMsMax, Math.max(0, first.atMs - this.#clock.nowMs()))
    this.#timer = this.#clock.setTimer(delayMs, () => this.#fire())
  }

  #pop(): T {
    const heap = this.#heap
    const { item } = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      this.#sink()
    }
    return item
  }

  #sink(): void {
    const heap = this.#heap
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      const right = left + 1
      let least = at
      if (left < heap.length && heap[left]!.atMs < heap[least]!.atMs) least = left
      if (right < heap.length && heap[right]!.atMs < heap[least]!.atMs) least = right
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap
    const kept = heap[a]!
    heap[a] = heap[b]!
    heap[b] = kept
  }
}
