import {
  type AckSettlement,
  type Outcome,
  type ReleaseSettlement,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { ackKinds, tell } from './acks.ts'
import { errorFrom, failed, lost } from './errors.ts'
import type { Incoming } from './incoming.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'

/** What a subscription holds, and how it gives records back. */
export interface Holder {
  readonly link: Link
  readonly publisher: Publisher
  /** A delivery that may be settled now; undefined where it is lost. */
  held(tag: number): Incoming | undefined
  /** Acknowledged, and confirmed. */
  settled(held: Incoming): void
  /**
   * Gives a record back. What it publishes in place of the record is acknowledged with it; undefined where nothing has to be
   * acknowledged.
   */
  release(held: Incoming, settlement: ReleaseSettlement): Promise<readonly Outcome[]> | Outcome
}

/** What cannot be settled (any more). */
export const noLonger: Outcome = failed(lost('the delivery is not (any more) held by this subscription'))

/** One call of `settle`: what happens to each delivery, and how it went. */
export class SettlementBatch {
  readonly #holder: Holder
  readonly #batch: readonly Settlement[]
  readonly #outcomes: Outcome[]

  constructor(holder: Holder, batch: readonly Settlement[]) {
    this.#holder = holder
    this.#batch = batch
    this.#outcomes = new Array<Outcome>(batch.length).fill(succeeded)
  }

  async run(): Promise<readonly Outcome[]> {
    const ready: Taken[] = []
    const published: Promise<void>[] = []
    for (let at = 0; at < this.#batch.length; at += 1) {
      const settlement = this.#batch[at] as Settlement
      const held = this.#holder.held(settlement.tag)
      if (held === undefined || held.isSettling) {
        this.#outcomes[at] = noLonger
        continue
      }
      held.isSettling = true
      const first = this.#first(held, settlement)
      if (first === undefined) ready.push({ at, held })
      else if (first instanceof Promise) published.push(this.#after(first, { at, held }))
      else this.#outcomes[at] = first
    }
    await Promise.all([...published, this.#acknowledge(ready)])
    return this.#outcomes
  }

  /** What comes before the acknowledgement; undefined where nothing does, an outcome where there is none to come. */
  #first(held: Incoming, settlement: Settlement): Promise<readonly Outcome[]> | Outcome | undefined {
    if (settlement.kind === 'release') return this.#holder.release(held, settlement)
    const { publish = [] } = settlement as AckSettlement
    return publish.length === 0 ? undefined : this.#holder.publisher.publish(publish)
  }

  async #after(first: Promise<readonly Outcome[]>, taken: Taken): Promise<void> {
    const failure = (await first).find(({ ok }) => !ok)
    if (failure === undefined) {
      await this.#acknowledge([taken])
      return
    }
    taken.held.isSettling = false
    this.#outcomes[taken.at] = failure
  }

  async #acknowledge(taken: readonly Taken[]): Promise<void> {
    const inTime: Taken[] = []
    for (const each of taken) {
      if (this.#holder.held(each.held.tag) === undefined) this.#outcomes[each.at] = noLonger
      else inTime.push(each)
    }
    await Promise.all([...byConsumer(inTime).values()].map((some) => this.#tell(some)))
  }

  async #tell(taken: readonly Taken[]): Promise<void> {
    const replies = taken.map(({ held }) => held.reply)
    try {
      await tell(this.#holder.link, ackKinds.done, replies)
    } catch (thrown) {
      const outcome = failed(errorFrom(thrown, 'acknowledgement'))
      for (const { at, held } of taken) {
        held.isSettling = false
        this.#outcomes[at] = outcome
      }
      return
    }
    for (const { held } of taken) this.#holder.settled(held)
  }
}

interface Taken {
  readonly at: number
  readonly held: Incoming
}

/** The answer to the last acknowledgement stands for those before it of the same consumer only. */
function byConsumer(taken: readonly Taken[]): ReadonlyMap<string | undefined, readonly Taken[]> {
  const groups = new Map<string | undefined, Taken[]>()
  for (const each of taken) {
    const some = groups.get(each.held.range)
    if (some === undefined) groups.set(each.held.range, [each])
    else some.push(each)
  }
  return groups
}

/** Counts calls under way, so that a subscription that stops can let them end. */
export class UnderWay {
  #count = 0
  #idle: (() => void) | undefined

  async run<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1
    try {
      return await work()
    } finally {
      this.#count -= 1
      if (this.#count === 0) this.#idle?.()
    }
  }

  async ended(): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>((resolve) => {
      this.#idle = resolve
    })
  }
}
