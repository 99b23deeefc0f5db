import type { HeldDelivery } from './delivery.ts'
import type { Member } from './member.ts'

/** The members of a group, and whose turn it is. */
export class Roster {
  readonly #members: Member[] = []
  #turn = 0

  get size(): number {
    return this.#members.length
  }

  /** Who joined last of those that are still there. */
  get newest(): Member | undefined {
    return this.#members.at(-1)
  }

  /** How many more deliveries the members take now. */
  get credit(): number {
    let credit = 0
    for (const member of this.#members) credit += member.credit
    return credit
  }

  /** Credit that members have earned by settling and are about to be granted again. */
  get owed(): number {
    let owed = 0
    for (const member of this.#members) owed += member.owed
    return owed
  }

  add(member: Member): void {
    this.#members.push(member)
  }

  /** Whether it was one of them. */
  remove(member: Member): boolean {
    const at = this.#members.indexOf(member)
    if (at >= 0) this.#members.splice(at, 1)
    return at >= 0
  }

  /** The member whose turn it is among those that can take something; undefined if none can. */
  next(): Member | undefined {
    for (let i = 0; i < this.#members.length; i++) {
      const member = this.#members[(this.#turn + i) % this.#members.length]!
      if (member.credit <= 0) continue
      this.#turn = (this.#turn + i + 1) % this.#members.length
      return member
    }
    return undefined
  }

  /** Sends off what the members were handed. */
  flush(): void {
    for (const member of this.#members) member.flush()
  }

  /** Who has which key in hand. */
  *keysInHand(): Iterable<{ key: string; member: Member }> {
    for (const member of this.#members) {
      for (const { record } of member.held()) if (record.key !== undefined) yield { key: record.key, member }
    }
  }

  /** Whether a member has something in hand that fits. */
  holds(fits: (held: HeldDelivery) => boolean): boolean {
    return this.#members.some((member) => [...member.held()].some(fits))
  }
}
