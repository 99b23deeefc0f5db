import type { Held } from './held.ts'
import { isForeign } from './positions.ts'

/**
 * Which records a member has, by their stamps: those that are unacknowledged and of which no copy is on its way. A record
 * can stand twice: the delay ladder dead-letters at least once, which a restart of the server repeats, and a fault between
 * publishing a copy and acknowledging what it is a copy of leaves both. The second of them need not run beside the first: as
 * long as that one is unacknowledged it comes again whatever happens.
 */
export class InHand {
  readonly #stamps = new Set<string>()

  /** Whether it is the only one of its record here. What was stamped elsewhere may be equal and another record. */
  add({ decoded: { position } }: Held): boolean {
    if (isForeign(position)) return true
    if (this.#stamps.has(position)) return false
    this.#stamps.add(position)
    return true
  }

  /** It is about to be acknowledged, or to be published again. */
  delete({ decoded: { position } }: Held): void {
    this.#stamps.delete(position)
  }

  clear(): void {
    this.#stamps.clear()
  }
}
