import type { Entry } from './entry.ts'

/** From how many attempts on that ended with their member a record is suspected of it. */
export const suspectFrom = 2

/**
 * One suspect at a time in the whole store: its end counts for all that is in hand, so that two that were handed over at the
 * same time would be taken for the culprit together, time after time.
 */
export class Isolation {
  #entry: Entry | undefined
  readonly #waiting = new Set<() => void>()

  /** Whether a suspect may be handed over; if not, `again` is called when it is worth asking again. */
  take(entry: Entry, again: () => void): boolean {
    this.#entry ??= entry
    if (this.#entry === entry) return true
    this.#waiting.add(again)
    return false
  }

  /** It is in nobody's hands any more. Does nothing for one that was not handed over as a suspect. */
  release(entry: Entry): void {
    if (this.#entry !== entry) return
    this.#entry = undefined
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const again of waiting) again()
  }
}
