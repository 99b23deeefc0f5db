import type { Entry } from './entry.ts'
import { Heap } from './heap.ts'
import type { Member } from './member.ts'

const byRank = (a: Entry, b: Entry) => a.stored.rank < b.stored.rank

/**
 * The records of one key in one group, or all that have no key. A lane is what is handed out in turn: it keeps the order
 * of its records by giving out the lowest rank only, and blocks nobody but itself.
 */
export class Lane {
  /** Undefined for the lane of records without a key, which has no owner and no holds. */
  readonly key: string | undefined
  /** Records that may be handed over now, but for holds and a busy owner. */
  readonly ready = new Heap<Entry>(byRank)
  /** Records that were released with `holdKey` and are not acknowledged yet, in order of their release. */
  readonly holds: Entry[] = []
  /** The member that has records of this key in flight: while it has, nobody else gets any. */
  owner: Member | undefined
  inFlight = 0
  /** Whether the lane waits for its turn in the group. */
  queued = false
  /** Its place in the group's turns: the rank of its first record at the time it was queued. */
  turn = 0

  constructor(key: string | undefined) {
    this.key = key
  }

  /** The next record to hand over; undefined when there is none or an earlier one holds it back. */
  next(): Entry | undefined {
    const head = this.ready.peek()
    if (head === undefined || this.holds.length === 0) return head
    return this.holds.some((holding) => byRank(holding, head)) ? undefined : head
  }

  hold(entry: Entry): void {
    if (this.key === undefined || this.holds.includes(entry)) return
    this.holds.push(entry)
  }

  unhold(entry: Entry): void {
    const at = this.holds.indexOf(entry)
    if (at >= 0) this.holds.splice(at, 1)
  }

  /** Ready records behind a holding one that waits for its time. */
  waitingCount(): number {
    const waiting = this.holds.filter((holding) => holding.appointment !== undefined)
    if (waiting.length === 0) return 0
    let count = 0
    for (const entry of this.ready) if (waiting.some((holding) => byRank(holding, entry))) count += 1
    return count
  }

  get idle(): boolean {
    return this.inFlight === 0 && this.ready.size === 0 && this.holds.length === 0
  }
}
