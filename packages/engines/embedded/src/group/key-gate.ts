import { RenewingMap } from '@posthaste/contracts'
import { type Entry, type InOrder, isBefore } from './entry.ts'

interface Gate {
  /** Records that hold the key, in order; the first is the one that everything behind it waits for. */
  readonly heads: Entry[]
  /** Records that came to the gate and wait. */
  readonly queue: Entry[]
}

interface InHand<Member> {
  readonly member: Member
  count: number
  readonly queue: Entry[]
}

/**
 * Which keys of a group are closed, and what waits behind them. A key is closed by a record that was released with
 * `holdKey`, until that record is settled; and, where several members share the group, to all members but the one that
 * has a record of it in hand.
 */
export class KeyGate<Member> {
  readonly #gates = new RenewingMap<string, Gate>()
  #inHand: RenewingMap<string, InHand<Member>> | undefined
  /** Members without credit, with the keys that wait for it. */
  readonly #starved = new Map<Member, Set<string>>()
  #waiting = 0

  /** Records that wait behind closed keys. */
  get waiting(): number {
    return this.#waiting
  }

  /** Whether no key is closed to anybody. */
  get open(): boolean {
    return this.#gates.size === 0 && this.#inHand === undefined
  }

  /** Closes an entry's key until the entry is settled. */
  close(key: string, head: Entry): void {
    const gate = this.#gates.get(key)
    if (gate === undefined) {
      this.#gates.set(key, { heads: [head], queue: [] })
      return
    }
    if (gate.heads.includes(head)) return
    gate.heads.push(head)
    gate.heads.sort((a, b) => (isBefore(a, b) ? -1 : 1))
  }

  /** Whether a record of this key must wait for one before it that holds the key. */
  isClosed(key: string, place: InOrder): boolean {
    const gate = this.#gates.get(key)
    return gate !== undefined && isBefore(gate.heads[0]!, place)
  }

  /** Lets an entry wait for its key: until it is reopened, or put back by the member that has it in hand. */
  enqueue(key: string, entry: Entry): void {
    this.#waiting++
    if (this.isClosed(key, entry)) {
      this.#gates.get(key)!.queue.push(entry)
      return
    }
    const { member, queue } = this.#inHand!.get(key)!
    queue.push(entry)
    const starved = this.#starved.get(member)
    if (starved === undefined) this.#starved.set(member, new Set([key]))
    else starved.add(key)
  }

  /** A member can take something again. Returns what waited for that. */
  feed(member: Member): readonly Entry[] {
    const starved = this.#starved.get(member)
    if (starved === undefined) return []
    this.#starved.delete(member)
    const freed: Entry[] = []
    for (const key of starved) {
      const held = this.#inHand!.get(key)
      if (held?.member === member) for (const entry of held.queue.splice(0)) freed.push(entry)
    }
    this.#waiting -= freed.length
    return freed
  }

  /** The entry is settled. Returns what waited for it and must be looked at again. */
  reopen(key: string, head: Entry): readonly Entry[] {
    const gate = this.#gates.get(key)
    if (gate === undefined) return []
    const at = gate.heads.indexOf(head)
    if (at >= 0) gate.heads.splice(at, 1)
    const freed = gate.queue.splice(0)
    this.#waiting -= freed.length
    if (gate.heads.length === 0) this.#gates.delete(key)
    return freed
  }

  /** From here on several members share the group: remembers who has which key in hand. */
  share(inHand: Iterable<{ key: string; member: Member }>): void {
    if (this.#inHand !== undefined) return
    this.#inHand = new RenewingMap()
    for (const { key, member } of inHand) this.take(key, member)
  }

  /** The only member that may have records of this key now; undefined when any may. */
  ownerOf(key: string): Member | undefined {
    return this.#inHand?.get(key)?.member
  }

  /** A member has a record of this key in hand. */
  take(key: string, member: Member): void {
    if (this.#inHand === undefined) return
    const held = this.#inHand.get(key)
    if (held === undefined) this.#inHand.set(key, { member, count: 1, queue: [] })
    else held.count++
  }

  /** A member is done with a record of this key. Returns what waited for it. */
  putBack(key: string): readonly Entry[] {
    const held = this.#inHand?.get(key)
    if (held === undefined || --held.count > 0) return []
    this.#inHand!.delete(key)
    this.#waiting -= held.queue.length
    return held.queue
  }
}
