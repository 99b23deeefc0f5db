import { PosthasteError } from '@posthaste/contracts'
import { type CancelSource, cancelSource } from '../../pipeline/cancellation.ts'

/**
 * One execution that many wait for. It is cancelled when all of them have given up, not when one has; so whoever begins it
 * lends it a deadline, for the callee to know, and nothing else.
 */
export class Flight {
  /** When the callee was asked. */
  readonly askedAtMs: number
  /** The deadline that the callee was told. */
  readonly deadlineAtMs: number
  readonly #source: CancelSource = cancelSource()
  #waiting = 0

  constructor(askedAtMs: number, deadlineAtMs: number) {
    this.askedAtMs = askedAtMs
    this.deadlineAtMs = deadlineAtMs
  }

  get cancellation() {
    return this.#source.token
  }

  join(): void {
    this.#waiting++
  }

  /** One gives up. True if nobody waits any more: then the execution is cancelled. */
  leave(): boolean {
    this.#waiting--
    if (this.#waiting > 0) return false
    this.#source.cancel(new PosthasteError('CANCELLED', 'everybody who waited for the answer has given up'))
    return true
  }

  /** It has ended. */
  land(): void {
    this.#source.release()
  }
}
