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

  /** What waits before it in memory alone, in its order: there is none before what is noted. */
  readyBefore(entry: Entry): readonly Entry[] {
    const entries = this.#entries
    const ready: Entry[] = []
    for (let at = entries.lastIndexOf(entry) - 1; at >= 0; at -= 1) {
      const earlier = entries[at]!
      if (earlier.note !== undefined) break
      if (earlier.phase === 'ready') ready.push(earlier)
    }
    return ready.reverse()
  }

  /** What is to be handed over next; undefined where all waits, for its time or for what is before it. */
  next(nowMs: number): Entry | undefined {
    let isClaiming = false
    let isWithCore = false
    for (const entry of this.#entries) {
      const { phase, note, holds, dueAtMs } = entry
      if (phase === 'ready' && dueAtMs <= nowMs) {
        // Claims are made in their order; what need not be claimed would overtake them. And what runs alone would overtake
        // what is given back before it.
        const isEarly = (isClaiming && note === undefined) || (isWithCore && entry.isSuspect)
        return isEarly ? undefined : entry
      }
      if (holds || (phase === 'saving' && dueAtMs <= nowMs)) return undefined
      if (phase === 'claiming') isClaiming = true
      if (phase !== 'ready' && phase !== 'saving') isWithCore = true
    }
    return undefined
  }
}

/** What is in hand of the key of an entry, came before it, and was never noted; in its order. */
export function inHandBefore({ key, order, range }: Entry, inHand: Iterable<Entry>): readonly Entry[] {
  if (key === undefined) return []
  const before: Entry[] = []
  for (const other of inHand) {
    if (other.key !== key || other.order >= order || other.range !== range) continue
    if (other.note === undefined && other.phase === 'inHand') before.push(other)
  }
  return before.sort((a, b) => a.order - b.order)
}
