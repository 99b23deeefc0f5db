/** The ids of what a channel has stored within its window. */
export class KnownIds {
  readonly #forMs: number
  /** When each was stored; the oldest first, but for a clock that was set back. */
  readonly #storedAtMs = new Map<string, number>()

  constructor(forMs: number) {
    this.#forMs = forMs
  }

  /** Whether the id was stored within the window. If not, it is from now on; a repetition does not prolong that. */
  isRepetition(id: string, nowMs: number): boolean {
    for (const [oldest, storedAtMs] of this.#storedAtMs) {
      if (this.#isWithin(storedAtMs, nowMs)) break
      this.#storedAtMs.delete(oldest)
    }
    const storedAtMs = this.#storedAtMs.get(id)
    if (storedAtMs !== undefined && this.#isWithin(storedAtMs, nowMs)) return true
    this.#storedAtMs.delete(id)
    this.#storedAtMs.set(id, nowMs)
    return false
  }

  #isWithin(storedAtMs: number, nowMs: number): boolean {
    return nowMs < storedAtMs + this.#forMs
  }
}
