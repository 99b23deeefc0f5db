import { type Entry, KeyChain } from './entry.ts'

/** The chains of a key range, and which of them has its turn. */
export class RangeChains {
  readonly #chains = new Map<string, KeyChain>()
  /** Chains that may have something to hand over, in the order in which they have their turn. */
  readonly #turns = new Set<KeyChain>()

  /** Whether something of the key is anything but simply in hand. Hot path. */
  has(key: string | undefined): boolean {
    return this.#chains.size > 0 && key !== undefined && this.#chains.has(key)
  }

  /** Whether nothing waits for its turn. Hot path. */
  get isCalm(): boolean {
    return this.#turns.size === 0
  }

  get all(): ReadonlySet<KeyChain> {
    return new Set([...this.#chains.values(), ...this.#turns])
  }

  /** The chain that an entry stands in, or is to stand in. */
  of({ chain, key }: Entry): KeyChain {
    if (chain !== undefined) return chain
    const found = (key === undefined ? undefined : this.#chains.get(key)) ?? new KeyChain(key)
    if (key !== undefined) this.#chains.set(key, found)
    return found
  }

  /** It has what may be handed over. */
  queue(chain: KeyChain): void {
    this.#turns.add(chain)
  }

  /** So that one key with many records lets the others have their turns. */
  pass(chain: KeyChain | undefined): void {
    if (chain !== undefined && this.#turns.delete(chain)) this.#turns.add(chain)
  }

  /** What has its turn among what may go, if anything. */
  next(nowMs: number, mayGo: (entry: Entry) => boolean): Entry | undefined {
    for (const chain of this.#turns) {
      const entry = chain.next(nowMs)
      if (entry === undefined) this.#turns.delete(chain)
      else if (mayGo(entry)) return entry
    }
    return undefined
  }

  /** Takes an entry out of its chain. @returns the chain, if something else stands in it */
  leave(entry: Entry): KeyChain | undefined {
    const { chain } = entry
    if (chain === undefined) return undefined
    chain.remove(entry)
    this.#turns.delete(chain)
    if (!chain.isEmpty) return chain
    if (chain.key !== undefined) this.#chains.delete(chain.key)
    return undefined
  }

  clear(): void {
    this.#turns.clear()
    this.#chains.clear()
  }
}
