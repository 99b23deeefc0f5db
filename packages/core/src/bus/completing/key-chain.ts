import type { Entry } from './entry.ts'

/**
 * The records of one key that are anything but simply in hand, in the order of the key. A record without a key has a chain
 * of its own.
 */
export class KeyChain {
  readonly key: string | undefined
  readonly #entries: Entry[] = []

  constructor(key: string | undefined) {
    this.key = key
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  add(entry: Entry): void {
    const entries = this.#entries
    let at = entries.length
    // Nearly always the last: only what comes back from the core has successors.
    while (at > 0 && entries[at - 1]!.order > entry.order) at -= 1
    entries.splice(at, 0, entry)
    entry.chain = this
  }

  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
    entry.chain = undefined
  }

  /** Whether something before it holds the key. */
  isHeldBefore({ order }: Entry): boolean {
    for (const entry of this.#entries) {
      if (entry.order >= order) return false
      if (entry.holds) return true
    }
    return false
  }

  /** What is to be handed over next; undefined where all waits, for its time or for what is before it. */
  next(nowMs: number): Entry | undefined {
    let isClaiming = false
    for (const entry of this.#entries) {
      const { phase, note, holds, dueAtMs } = entry
      // Claims are made in their order; what need not be claimed would overtake them.
      if (phase === 'ready' && dueAtMs <= nowMs) return isClaiming && note === undefined ? undefined : entry
      if (holds || (phase === 'saving' && dueAtMs <= nowMs)) return undefined
      if (phase === 'claiming') isClaiming = true
    }
    return undefined
  }
}
