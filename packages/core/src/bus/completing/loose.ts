import { type Delivery, type DeliveryTag, SerialTable, type Timer } from '@posthaste/contracts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import { aloneFrom } from './entry.ts'
import type { Isolation } from './isolation.ts'
import type { RawSettler } from './raw-settler.ts'

/** What goes round with deliveries of no key range. */
export interface LooseInit {
  readonly isolation: Isolation
  readonly settler: RawSettler
  readonly timers: TimerWheel
  /** Whether the engine has credit left. */
  mayMoreCome(): boolean
  /** Something may go on. */
  turn(): void
}

/** How long nothing is to come from the engine until it is taken for having nothing more, in milliseconds. */
const calmMs = 100
/** After so many others in a row no more suspects are expected. */
const othersMax = 64
const unbounded = Number.POSITIVE_INFINITY

/**
 * Deliveries of no key range. They pass through, unless something is to run alone: then what comes goes back uncounted,
 * which the engine keeps in the order of the key. Credit cannot be taken back, and what comes while the suspect runs would
 * be counted with it, also what an engine has fetched ahead: so it is waited for until nothing comes any more.
 *
 * Hot path: one place in a table for each delivery.
 */
export class LooseDeliveries {
  readonly #init: LooseInit
  readonly #inHand = new SerialTable<Delivery>()
  #calm: Timer | undefined
  /**
   * Where one suspect was, there are more, mostly, and all that was asked for is given back for each. So one is asked for
   * behind a suspect, and one more for each other delivery that comes.
   */
  #mayBeAsked = unbounded

  constructor(init: LooseInit) {
    this.#init = init
  }

  get size(): number {
    return this.#inHand.size
  }

  get tags(): DeliveryTag[] {
    return this.#inHand.serials()
  }

  /** How much may be on its way. */
  get mayBeAsked(): number {
    return this.#mayBeAsked
  }

  /** Whether nothing has come for a while. */
  get isCalm(): boolean {
    return this.#calm === undefined
  }

  /** Whether nothing passes. */
  get isShut(): boolean {
    const { isolation, settler } = this.#init
    // What was given back stands before what comes until the engine has it.
    return isolation.isOn || !settler.isIdle
  }

  /** Whether it is handed over now. */
  take(delivery: Delivery, hasCredit: boolean): boolean {
    const { isolation, mayMoreCome } = this.#init
    const isSuspect = (delivery.vanished ?? 0) >= aloneFrom
    if (isSuspect) this.#mayBeAsked = 1
    if (this.isShut || !hasCredit) this.#handBack(delivery)
    else if (isSuspect) {
      if (mayMoreCome()) this.#await()
      isolation.begin(delivery)
    } else {
      this.#mayBeAsked = this.#mayBeAsked < othersMax ? this.#mayBeAsked + 1 : unbounded
      this.#inHand.set(delivery.tag, delivery)
      return true
    }
    return false
  }

  /** Takes a whole batch that is handed over as it is. @returns false when it must be looked at one by one */
  takeAll(batch: readonly Delivery[]): boolean {
    if (this.isShut || this.#mayBeAsked !== unbounded) return false
    for (const { range, vanished = 0 } of batch) if (range !== undefined || vanished >= aloneFrom) return false
    for (const delivery of batch) this.#inHand.set(delivery.tag, delivery)
    return true
  }

  add(delivery: Delivery): void {
    this.#inHand.set(delivery.tag, delivery)
  }

  has(tag: DeliveryTag): boolean {
    return this.#inHand.get(tag) !== undefined
  }

  /** It is settled or lost. @returns whether the core had it */
  delete(tag: DeliveryTag): boolean {
    return this.#inHand.delete(tag)
  }

  close(): void {
    this.#calm?.cancel()
    this.#calm = undefined
  }

  #handBack({ tag }: Delivery): void {
    const { settler, turn } = this.#init
    settler.handBack(tag, () => {
      this.#await()
      turn()
    })
  }

  #await(): void {
    const { timers, turn } = this.#init
    this.#calm?.cancel()
    this.#calm = timers.set(calmMs, () => {
      this.#calm = undefined
      turn()
    })
  }
}
