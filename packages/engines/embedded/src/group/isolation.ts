/** Whoever may watch a suspect. */
export interface Watcher {
  /** Looks for work in a microtask. */
  schedule(): void
}

/**
 * One suspect at a time in the whole engine: a crash counts for everything that is in anybody's hands, so two suspects of
 * two groups that are watched at the same time would be taken for the culprit together, start after start.
 */
export class Isolation {
  #watcher: Watcher | undefined
  readonly #waiting = new Set<Watcher>()

  /** Whether the watcher may hand over a suspect; if not, it is told when it is worth asking again. */
  take(watcher: Watcher): boolean {
    if (this.#watcher !== undefined && this.#watcher !== watcher) {
      this.#waiting.add(watcher)
      return false
    }
    this.#watcher = watcher
    return true
  }

  /** Lets others watch. Does nothing for who does not. */
  release(watcher: Watcher): void {
    if (this.#watcher !== watcher) return
    this.#watcher = undefined
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const other of waiting) other.schedule()
  }
}
