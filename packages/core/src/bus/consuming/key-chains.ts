import { RenewingMap } from '@posthaste/contracts'

/** Something that waits its turn: at most one of a key has its turn at a time. */
export interface Chained<Item> {
  /** Undefined where the order does not matter. */
  readonly key: string | undefined
  /** The link to whatever stands behind; kept by {@link KeyChains} alone. */
  behind: Item | undefined
}

/** The items of one key, linked through themselves. */
interface Chain<Item> {
  head: Item
  tail: Item
}

/**
 * Chains items by key, in the order in which they come. The head of a chain has its turn until it leaves; the others wait
 * behind it. Hot path: a key that is alone costs one small object, a waiting item none.
 */
export class KeyChains<Item extends Chained<Item>> {
  readonly #chains = new RenewingMap<string, Chain<Item>>()

  /** Takes an item in. @returns whether it has its turn at once */
  enter(item: Item): boolean {
    if (item.key === undefined) return true
    const chain = this.#chains.get(item.key)
    if (chain === undefined) {
      this.#chains.set(item.key, { head: item, tail: item })
      return true
    }
    chain.tail.behind = item
    chain.tail = item
    return false
  }

  /** A head goes. @returns the next of its key, which has its turn now */
  leave(head: Item): Item | undefined {
    const chain = this.#chainOf(head)
    if (chain === undefined) return undefined
    const next = head.behind
    head.behind = undefined
    if (next === undefined) this.#chains.delete(head.key!)
    else chain.head = next
    return next
  }

  /** Takes everything out that waits behind a head, in order. The head stays. */
  takeBehind(head: Item): Item[] {
    const taken: Item[] = []
    const chain = this.#chainOf(head)
    if (chain === undefined) return taken
    chain.tail = head
    for (let before = head; before.behind !== undefined; ) {
      const item: Item = before.behind
      before.behind = undefined
      taken.push(item)
      before = item
    }
    return taken
  }

  /** How many keys have somebody in turn. */
  get size(): number {
    return this.#chains.size
  }

  /** The chain that the item is the head of; undefined for one that has left. */
  #chainOf(head: Item): Chain<Item> | undefined {
    const chain = head.key === undefined ? undefined : this.#chains.get(head.key)
    return chain?.head === head ? chain : undefined
  }
}
