import { type Clock, type Outcome, PosthasteError } from '@posthaste/contracts'
import { notOpen, unavailable } from './errors.ts'
import { batchBytesMax, batchMax } from './features.ts'
import { Packer } from './wire.ts'

/** Tells how an item went, in the order in which the items were packed. */
export type Verdicts<Item> = (item: Item) => Outcome

/** What a batcher does with items. */
export interface BatcherWork<Item> {
  readonly clock: Clock
  readonly timeoutMs: number
  /** So many batches may be under way at a time. */
  readonly underWayMax: number
  /** Packs an item, or gives the outcome of one that is not even sent. */
  pack(packer: Packer, item: Item): Outcome | undefined
  /** Sends what was packed. Rejects when nothing is known of any of it. */
  send(count: number, packed: Buffer, deadlineMs: number): Promise<Verdicts<Item>>
}

/** Items that came together and are answered together. */
interface Group<Item> {
  readonly items: readonly Item[]
  readonly outcomes: Outcome[]
  /** The next of its items to be sent. */
  next: number
  unanswered: number
  readonly deadlineMs: number
  readonly resolve: (outcomes: readonly Outcome[]) => void
}

/** Some items of a group, in a batch: by their places, since others of it may have been refused. */
interface Share<Item> {
  readonly group: Group<Item>
  readonly places: readonly number[]
}

/** Sends items in their order, in batches that emerge: what comes while one is under way goes with the next. */
export class Batcher<Item> {
  readonly #work: BatcherWork<Item>
  readonly #queue: Group<Item>[] = []
  readonly #packer = new Packer()
  #underWay = 0
  #scheduled = false
  #closed = false
  readonly #idle: (() => void)[] = []

  constructor(work: BatcherWork<Item>) {
    this.#work = work
  }

  /** Hot path. Resolves with an outcome for each item; rejects with `ENGINE_CLOSED` alone. */
  add(items: readonly Item[]): Promise<readonly Outcome[]> {
    if (this.#closed) return Promise.reject(notOpen())
    if (items.length === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const deadlineMs = this.#work.clock.monotonicMs() + this.#work.timeoutMs
      const outcomes = new Array<Outcome>(items.length)
      this.#queue.push({ items, outcomes, next: 0, unanswered: items.length, deadlineMs, resolve })
      this.#soon()
    })
  }

  /** Resolves when all that was added is answered. */
  async idle(): Promise<void> {
    if (this.#queue.length === 0 && this.#underWay === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Takes nothing more; what was taken is answered first. */
  async close(): Promise<void> {
    this.#closed = true
    await this.idle()
  }

  /** After this turn, so that its calls go together. */
  #soon(): void {
    if (this.#scheduled || this.#underWay >= this.#work.underWayMax) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      while (this.#queue.length > 0 && this.#underWay < this.#work.underWayMax) this.#sendNext()
      this.#tellIdle()
    })
  }

  #sendNext(): void {
    const deadlineMs = this.#queue[0]?.deadlineMs ?? 0
    const shares: Share<Item>[] = []
    let count = 0
    while (count < batchMax && this.#packer.length < batchBytesMax) {
      const [group] = this.#queue
      if (group === undefined) break
      const places = this.#pack(group, batchMax - count)
      if (places.length > 0) shares.push({ group, places })
      count += places.length
      if (group.next === group.items.length) this.#queue.shift()
    }
    if (count === 0) return
    this.#underWay += 1
    this.#work.send(count, this.#packer.take(), deadlineMs).then(
      (verdicts) => this.#answered(shares, verdicts),
      (thrown: unknown) => {
        const error = PosthasteError.is(thrown) ? thrown : unavailable('the answer cannot be read', thrown)
        this.#answered(shares, () => ({ ok: false, error }))
      },
    )
  }

  /** @returns the places of the items that go with the batch */
  #pack(group: Group<Item>, countMax: number): readonly number[] {
    const places: number[] = []
    while (group.next < group.items.length && places.length < countMax && this.#packer.length < batchBytesMax) {
      const refused = this.#work.pack(this.#packer, group.items[group.next] as Item)
      if (refused === undefined) places.push(group.next)
      else this.#answer(group, group.next, refused)
      group.next += 1
    }
    return places
  }

  #answered(shares: readonly Share<Item>[], verdicts: Verdicts<Item>): void {
    for (const { group, places } of shares) {
      for (const place of places) this.#answer(group, place, verdicts(group.items[place] as Item))
    }
    this.#underWay -= 1
    if (this.#queue.length > 0) this.#soon()
    else this.#tellIdle()
  }

  #answer(group: Group<Item>, place: number, outcome: Outcome): void {
    group.outcomes[place] = outcome
    group.unanswered -= 1
    if (group.unanswered === 0) group.resolve(group.outcomes)
  }

  #tellIdle(): void {
    if (this.#queue.length > 0 || this.#underWay > 0) return
    for (const tell of this.#idle.splice(0)) tell()
  }
}
