import type { Delivery, DeliveryTag } from '@posthaste/contracts'
import { Entry } from './entry.ts'
import type { KeyRange } from './key-range.ts'

/** What may have ended processes: a delivery of no key range, or a parked record of one. */
export type Suspect = Delivery | Entry

/** What an isolation sees of its subscription. */
export interface IsolationInit {
  /** Asks the core for everything that has not begun. */
  recall(): void
  /** Whether nothing is in hand, nor on its way there. */
  isAlone(): boolean
  ranges(): Iterable<KeyRange>
  handOver(suspect: Suspect): void
  /** Whether a delivery of no range is with the core. */
  isHandedOver(delivery: Delivery): boolean
}

/**
 * Has what ended more than one process run alone, so that what it may do this time counts against nothing else. One at a
 * time: all that is in hand comes back or ends, then it is handed over, and the others go on when it is done.
 */
export class Isolation {
  readonly #init: IsolationInit
  #suspect: Suspect | undefined
  #stage: 'clearing' | 'noting' | 'running' = 'clearing'

  constructor(init: IsolationInit) {
    this.#init = init
  }

  get isOn(): boolean {
    return this.#suspect !== undefined
  }

  begin(suspect: Suspect): void {
    this.#suspect = suspect
    this.#stage = 'clearing'
    this.#init.recall()
  }

  /** The engine took these back before they were handed over. */
  lost(tags: ReadonlySet<DeliveryTag>): void {
    const suspect = this.#suspect
    if (suspect !== undefined && !(suspect instanceof Entry) && tags.has(suspect.tag)) this.#suspect = undefined
  }

  /** Something has changed. `mayHandOver`: the core has credit for it. */
  look(mayHandOver: boolean): void {
    const { isAlone, ranges, handOver } = this.#init
    if (this.#isOver()) this.#suspect = undefined
    if (this.#suspect === undefined) return
    if (this.#stage === 'clearing' && isAlone()) {
      this.#stage = 'noting'
      for (const range of ranges()) range.lowerSession()
    }
    if (this.#stage !== 'noting' || !mayHandOver) return
    for (const range of ranges()) if (!range.isQuiet) return
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
