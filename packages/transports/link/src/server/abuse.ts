import { PosthasteError } from '@posthaste/contracts'
import type { LimitSettings } from '../connection/limits.ts'

const periodMs = 10_000

/**
 * Counts what costs a client little and the server much: streams that are cancelled as soon as they are opened, and PINGs.
 *
 * @see CVE-2023-44487, CVE-2019-9512: the same against HTTP/2
 */
export class Abuse {
  readonly #limits: LimitSettings
  #beganAtMs: number
  #opens = 0
  /** Of the period before: what was opened at its end is cancelled in this one. */
  #opensBefore = 0
  #cancels = 0
  #pings = 0

  constructor(limits: LimitSettings, nowMs: number) {
    this.#limits = limits
    this.#beganAtMs = nowMs
  }

  /** A stream was opened. */
  opened(nowMs: number): void {
    this.#renew(nowMs)
    this.#opens++
    this.#pings = 0
  }

  /**
   * A stream was cancelled that could have been waited for.
   * @throws RATE_LIMITED when it is one too many
   */
  cancelled(nowMs: number): void {
    this.#renew(nowMs)
    this.#cancels++
    const opens = this.#opens + this.#opensBefore
    if (this.#cancels <= this.#limits.cancelsMax || this.#cancels * 2 <= opens) return
    throw tooMany(`${this.#cancels} of ${opens} streams were cancelled within ${periodMs} ms`)
  }

  /**
   * A PING came.
   * @throws RATE_LIMITED when it is one too many
   */
  pinged(nowMs: number): void {
    this.#renew(nowMs)
    if (++this.#pings > this.#limits.pingsMax) throw tooMany(`${this.#pings} PINGs came within ${periodMs} ms`)
  }

  #renew(nowMs: number): void {
    const passedMs = nowMs - this.#beganAtMs
    if (passedMs < periodMs) return
    this.#beganAtMs = nowMs
    this.#opensBefore = passedMs < 2 * periodMs ? this.#opens : 0
    this.#opens = 0
    this.#cancels = 0
    this.#pings = 0
  }
}

function tooMany(what: string): PosthasteError {
  return new PosthasteError('RATE_LIMITED', what, { retryAfterMs: periodMs })
}
