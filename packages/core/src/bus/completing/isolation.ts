import type { Delivery, DeliveryTag } from '@posthaste/contracts'
import { Entry } from './entry.ts'
import type { KeyRange } from './key-range.ts'

/** What may have ended processes: a delivery of no key range, or a parked record of one. */
export type Suspect = Delivery | Entry

/** What an isolation sees of its subscription. */
export interface IsolationInit {
  /** The others of the engine. */
  readonly turns: AloneTurns
  /** Asks the core for everything that has not begun. */
  recall(): void
  /** Whether nothing is in hand, nor on its way there. */
  isAlone(): boolean
  ranges(): Iterable<KeyRange>
  handOver(suspect: Suspect): void
  /** Whether a delivery of no range is with the core. */
  isHandedOver(delivery: Delivery): boolean
  /** It may be worth looking again. */
  turn(): void
}

/**
 * One suspect at a time among all subscriptions of an engine: the end of the process counts for everything that is in
 * hand, so that two that run at the same time would be taken for the culprit together, start after start.
 */
export class AloneTurns {
  #holder: Isolation | undefined
  readonly #waiting = new Set<Isolation>()

  /** Whether it may go on; if not, it is told when it is worth asking again. */
  take(isolation: Isolation): boolean {
    this.#holder ??= isolation
    if (this.#holder === isolation) return true
    this.#waiting.add(isolation)
    return false
  }

  leave(isolation: Isolation): void {
    this.#waiting.delete(isolation)
    if (this.#holder !== isolation) return
    this.#holder = undefined
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const other of waiting) other.turn()
  }
}

/**
 * Has what ended more than one process run alone, so that what it may do this time counts against nothing else. One at a
 * time: all that is in hand comes back or ends, then it is handed over, and the others go on when it is done.
 */
export class Isolation {
  readonly #init: IsolationInit
  #suspect: Suspect | undefined
  #stage: 'begun' | 'clearing' | 'noting' | 'running' = 'begun'

  constructor(init: IsolationInit) {
    this.#init = init
  }

  get isOn(): boolean {
    return this.#suspect !== undefined
  }

  /** A delivery that the core does not have yet. */
  get held(): readonly Delivery[] {
    const suspect = this.#suspect
    return suspect === undefined || suspect instanceof Entry || this.#stage === 'running' ? [] : [suspect]
  }

  begin(suspect: Suspect): void {
    this.#suspect = suspect
    this.#stage = 'begun'
    this.turn()
  }

  turn(): void {
    this.#init.turn()
  }

  /** The engine took these back before they were handed over. */
  lost(tags: ReadonlySet<DeliveryTag>): void {
    if (this.held.some(({ tag }) => tags.has(tag))) this.end()
  }

  /** Lets the others go on. */
  end(): void {
    this.#suspect = undefined
    this.#init.turns.leave(this)
  }

  /** Something has changed. `mayHandOver`: the core has credit for it. */
  look(mayHandOver: boolean): void {
    const { turns, recall, isAlone, ranges, handOver } = this.#init
    if (this.#isOver()) this.end()
    if (this.#suspect === undefined) return
    if (this.#stage === 'begun') {
      this.#stage = 'clearing'
      recall()
    }
    if (this.#stage === 'clearing' && isAlone()) {
      this.#stage = 'noting'
      for (const range of ranges()) range.lowerSession()
    }
    if (this.#stage !== 'noting' || !mayHandOver) return
    for (const range of ranges()) if (!range.isQuiet) return
    if (!turns.take(this)) return
    this.#stage = 'running'
    handOver(this.#suspect)
  }

  #isOver(): boolean {
    const suspect = this.#suspect
    if (suspect === undefined) return false
    const isRunning = this.#stage === 'running'
    if (!(suspect instanceof Entry)) return isRunning && !this.#init.isHandedOver(suspect)
    const { phase, range } = suspect
    if (!isRunning) return phase !== 'ready' || !range.isReading
    return phase !== 'claiming' && phase !== 'inHand' && phase !== 'ending'
  }
}
