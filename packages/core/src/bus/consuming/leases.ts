import type { DeliveryTag, EngineSubscription, Timer } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'

/** Whose leases are to be kept. */
export interface Leased {
  readonly member: EngineSubscription
  /** How long one lasts, in milliseconds. */
  readonly leaseMs: number
  /** What is held at this moment. */
  readonly tags: () => DeliveryTag[]
}

/** Keeps the leases of deliveries, however long their handlers run: none is kept where they never end. */
export class Leases {
  readonly #leased: Leased
  readonly #deps: FilterDeps
  #timer: Timer | undefined = undefined

  constructor(leased: Leased, deps: FilterDeps) {
    this.#leased = leased
    this.#deps = deps
  }

  keep(): void {
    const { leaseMs, member, tags } = this.#leased
    if (leaseMs === Number.POSITIVE_INFINITY) return
    const { timers, log, target } = this.#deps
    this.#timer = timers.set(leaseMs / 3, () => {
      this.keep()
      const held = tags()
      if (held.length === 0) return
      member.extend(held).catch((error) => log.warn('leases were not extended', { target, error }))
    })
  }

  close(): void {
    this.#timer?.cancel()
  }
}
