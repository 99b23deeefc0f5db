import type { UserLimits } from '../config/config.ts'

/** Records that may come at once after a pause: what a tenth of a second is worth. */
const burstSeconds = 0.1

/**
 * What one user uses, over all of its connections. Nothing is refused for being too much at once: what was read is taken, and
 * credit for more is given later.
 */
export class UserQuota {
  readonly #limits: UserLimits
  readonly #nowMs: () => number
  /** Who waits for credit because too much is in flight, in the order of their asking. */
  readonly #waiting: (() => void)[] = []
  #bytesInFlight = 0
  /** When the records that were taken are paid for, on the monotonic clock. */
  #paidUntilMs = Number.NEGATIVE_INFINITY
  connections = 0

  constructor(limits: UserLimits, nowMs: () => number) {
    this.#limits = limits
    this.#nowMs = nowMs
  }

  /** Whether another connection is one too many. */
  get isFull(): boolean {
    return this.connections >= (this.#limits.connectionsMax ?? Number.POSITIVE_INFINITY)
  }

  /** Channels that the user may have made. */
  get channelsMax(): number {
    return this.#limits.channelsMax ?? Number.POSITIVE_INFINITY
  }

  /** Bytes of records have come. */
  took(bytes: number): void {
    this.#bytesInFlight += bytes
  }

  /** They are confirmed, or refused. @param credit gives their credit back, as soon as there is room */
  confirmed(bytes: number, credit: () => void): void {
    this.#bytesInFlight -= bytes
    const most = this.#limits.bytesInFlightMax ?? Number.POSITIVE_INFINITY
    this.#waiting.push(credit)
    while (this.#waiting.length > 0 && this.#bytesInFlight < most) this.#waiting.shift()?.()
  }

  /** Counts records. @returns milliseconds to wait before more may be read */
  waitMs(records: number): number {
    const perSecond = this.#limits.recordsPerSecondMax
    if (perSecond === undefined) return 0
    const nowMs = this.#nowMs()
    const burstMs = 1_000 * burstSeconds
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - burstMs) + (1_000 * records) / perSecond
    return Math.max(0, this.#paidUntilMs - nowMs)
  }
}
