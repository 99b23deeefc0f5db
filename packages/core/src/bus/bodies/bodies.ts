import type { Codec } from '@posthaste/contracts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import { ClaimCheck, type ClaimCheckOptions } from './claim-check.ts'
import { Codecs } from './codecs.ts'
import { type BodyReader, bodyReader, type Readable } from './reading.ts'

/** What an application says about bodies, and what it lends to them. */
export interface BodiesInit {
  readonly codecs?: readonly Codec[] | undefined
  readonly claimCheck?: ClaimCheckOptions | undefined
  readonly timers: TimerWheel
}

/** How the bodies of one application are read, and where big ones stand. */
export class Bodies {
  readonly claims: ClaimCheck
  readonly #codecs: Codecs

  /** @throws CONFIG_INVALID when codecs or options of the claim check are wrong */
  constructor({ codecs, claimCheck, timers }: BodiesInit) {
    this.#codecs = new Codecs(codecs)
    this.claims = new ClaimCheck(claimCheck, timers)
  }

  /**
   * What reads the bodies of one contract. Make it once, not per message.
   * @param what names the data in errors: `shop.order.created`
   */
  reader(what: string, readable: Readable): BodyReader {
    return bodyReader(what, readable, { codecs: this.#codecs, claims: this.claims })
  }
}
