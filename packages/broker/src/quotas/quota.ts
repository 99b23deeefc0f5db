import type { Clock } from '@posthaste/contracts'
import type { UserLimits } from '../config/config.ts'

/** Records that may come at once after a pause: what a tenth of a second is worth. */
const burstSeconds = 0.1

/** What something takes of the limits. */
export interface Usage {
  readonly records: number
  /** Of the message that they came in. */
  readonly bytes: number
}

/**
 * What one user uses, over all of its connections. Nothing is refused for being too much at once: what came over a stream is
 * taken, and credit for more is given later; a call is made later.
 */
export class UserQuota {
  readonly #limits: UserLimits
  readonly #clock: Pick<Clock, 'monotonicMs' | 'setTimer'>
  /** Who waits for credit, or to be let in, because too much is in flight: in the order of their asking. */
  readonly #waiting: (() => void)[] = []
  #bytesInFlight = 0
  /** When the records that were taken are paid for, on the monotonic clock. */
  #paidUntilMs = Number.NEGATIVE_INFINITY

  constructor(limits: UserLimits, clock: Pick<Clock, 'monotonicMs' | 'setTimer'>) {
    this.#limits = limits
    this.#clock = clock
  }

  /** Channels that the user may have made. */
  get channelsMax(): number {
    return this.#limits.channelsMax ?? Number.POSITIVE_INFINITY
  }

  /** Groups that the user may have made. */
  get groupsMax(): number {
    return this.#limits.groupsMax ?? Number.POSITIVE_INFINITY
  }

  /** Bytes that one subscription may have in hand. */
  get bytesInHandMax(): number | undefined {
    return this.#limits.bytesInHandMax
  }

  /**
   * Records have come over a stream and are taken.
   * @param done resolves when they are confirmed or refused; never rejects
   * @param credit has the stream read on
   */
  took({ records, bytes }: Usage, done: Promise<unknown>, credit: () => void): void {
    this.#bytesInFlight += bytes
    const waitMs = this.#charge(records) + this.#costMs(records)
    const give = waitMs <= 0 ? credit : () => void this.#clock.setTimer(waitMs, credit)
    void done.then(() => {
      this.#bytesInFlight -= bytes
      this.#waiting.push(give)
      this.#serve()
    })
  }

  /**
   * Has a call wait for its turn. It is not made before, so that one that was given up meanwhile never happens.
   * @returns to be called when it is made; undefined where it was given up
   */
  async turn({ records, bytes }: Usage, givenUp: AbortSignal): Promise<(() => void) | undefined> {
    const waitMs = this.#charge(records)
    if (waitMs > 0) await this.#rest(waitMs, givenUp)
    const isIn = await new Promise<boolean>((resolve) => {
      this.#waiting.push(() => {
        // Counted before the next one is served.
        if (!givenUp.aborted) this.#bytesInFlight += bytes
        resolve(!givenUp.aborted)
      })
      this.#serve()
    })
    if (!isIn) {
      this.#paidUntilMs -= this.#costMs(records)
      return undefined
    }
    return () => {
      this.#bytesInFlight -= bytes
      this.#serve()
    }
  }

  #serve(): void {
    const most = this.#limits.bytesInFlightMax ?? Number.POSITIVE_INFINITY
    while (this.#waiting.length > 0 && this.#bytesInFlight < most) this.#waiting.shift()?.()
  }

  /** Counts records. @returns milliseconds until those before them are paid for, not above 0 where they are */
  #charge(records: number): number {
    if (this.#limits.recordsPerSecondMax === undefined) return 0
    const nowMs = this.#clock.monotonicMs()
    const fromMs = Math.max(this.#paidUntilMs, nowMs - 1_000 * burstSeconds)
    this.#paidUntilMs = fromMs + this.#costMs(records)
    return fromMs - nowMs
  }

  #costMs(records: number): number {
    const perSecond = this.#limits.recordsPerSecondMax
    return perSecond === undefined ? 0 : (1_000 * records) / perSecond
  }

  async #rest(ms: number, givenUp: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.setTimer(ms, resolve)
    givenUp.addEventListener('abort', () => resolve(), { once: true })
    await promise
    timer.cancel()
  }
}
