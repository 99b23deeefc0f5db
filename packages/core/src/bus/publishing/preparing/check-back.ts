import {
  type Clock,
  type Log,
  type MaybePromise,
  PosthasteError,
  type PreparedRecord,
  type Preparing,
  type Timer,
} from '@posthaste/contracts'
import type { TimerWheel } from '../../../pipeline/timer-wheel.ts'
import { backoffCeilingMs } from '../../../resilience/retry/backoff.ts'
import type { BodyReader } from '../../bodies/reading.ts'
import { confirmed, type Decision, decide } from './decisions.ts'
import type { UnresolvedSettings } from './options.ts'

/** A prepared message that nobody has decided about. */
export interface UnresolvedMessage<Data = unknown> {
  readonly id: string
  readonly data: Data
  readonly key: string | undefined
  /** How often somebody was asked before. */
  readonly checks: number
  /** When it was prepared, milliseconds since the epoch. */
  readonly preparedAtMs: number
}

/** What is known of the work that a message was prepared for. */
export type Resolution = Decision | 'unknown'

/** What asking back is made of. */
export interface CheckBackInit {
  readonly channel: string
  readonly preparing: Preparing
  readonly read: BodyReader
  readonly ask: (message: UnresolvedMessage) => MaybePromise<Resolution>
  readonly settings: UnresolvedSettings
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly random: () => number
  readonly log: Log
}

/** Most questions at a time. */
const atOnce = 16
/** What other processes have prepared shows after this many milliseconds at the latest; so do their decisions. */
const pollMs = 10_000

/**
 * Asks about the messages of one channel that were prepared and not decided in time, those of earlier processes included,
 * over and over until there is an answer, and gives up asking after a number of questions. Where several processes ask,
 * each asks, and the first decision counts.
 *
 * @see https://rocketmq.apache.org/docs/featureBehavior/04transactionmessage (check-back of half messages)
 */
export class CheckBack {
  readonly #init: CheckBackInit
  #timer: Timer | undefined = undefined
  /** When to look next, as far as is known. */
  #nextAtMs = Number.POSITIVE_INFINITY
  #round: Promise<void> | undefined = undefined
  #closed = false

  constructor(init: CheckBackInit) {
    this.#init = init
  }

  /** Looks at once, and from then on whenever something may be due. */
  start(): void {
    this.#wake(this.#init.clock.nowMs())
  }

  /** Something is to be asked about at this time. */
  expect(checkAtMs: number): void {
    if (checkAtMs >= this.#nextAtMs) return
    this.#nextAtMs = checkAtMs
    if (this.#round === undefined) this.#wake(checkAtMs)
  }

  /** Asks nothing more. Resolves when nothing is asked any more, and after `graceMs` in any case. */
  async close(graceMs: number): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    if (this.#round === undefined) return
    const { promise: graceOver, resolve } = Promise.withResolvers<void>()
    const timer = this.#init.timers.set(graceMs, resolve)
    await Promise.race([this.#round, graceOver])
    timer.cancel()
  }

  #wake(atMs: number): void {
    if (this.#closed) return
    const { clock, timers } = this.#init
    this.#timer?.cancel()
    this.#nextAtMs = atMs
    this.#timer = timers.set(atMs - clock.nowMs(), () => {
      this.#nextAtMs = Number.POSITIVE_INFINITY
      this.#round = this.#ask().then((nextAtMs) => {
        this.#round = undefined
        this.#wake(Math.min(nextAtMs, this.#nextAtMs))
      })
    })
  }

  /** Asks about what is due. Never rejects. @returns when to look again */
  async #ask(): Promise<number> {
    const { preparing, channel, clock, log } = this.#init
    try {
      const waiting = await preparing.prepared(channel, atOnce)
      const nowMs = clock.nowMs()
      const due = waiting.filter(({ checkAtMs }) => checkAtMs <= nowMs)
      const checks = await Promise.allSettled(due.map((prepared) => this.#check(prepared)))
      const failed = checks.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
      // Everything that was looked at was due: there may be more of it.
      if (due.length === atOnce) return clock.nowMs()
      return Math.min(waiting[due.length]?.checkAtMs ?? Number.POSITIVE_INFINITY, clock.nowMs() + pollMs)
    } catch (error) {
      if (!this.#closed) log.warn('prepared messages could not be looked after; trying again', { channel, error })
      return clock.nowMs() + pollMs
    }
  }

  /** @throws what the engine fails with, but not that another decision was first */
  async #check(prepared: PreparedRecord): Promise<void> {
    const { preparing, channel } = this.#init
    const { id } = prepared.record
    const resolution = await this.#resolutionOf(prepared)
    try {
      if (resolution === 'unknown') await this.#postpone(prepared)
      else await decide(preparing, resolution, { channel, id })
    } catch (error) {
      if (!PosthasteError.is(error, 'NOT_FOUND')) throw error
    }
  }

  /** What the application says. Never rejects. */
  async #resolutionOf({ record, checks, preparedAtMs }: PreparedRecord): Promise<Resolution> {
    const { ask, read, channel, log } = this.#init
    const { id, key } = record
    try {
      const data = await read(record)
      const answer: unknown = await this.#inTime(async () => ask({ id, data, key, checks, preparedAtMs }))
      if (answer === 'commit' || answer === 'rollback' || answer === 'unknown') return answer
      throw new PosthasteError('INVALID_ARGUMENT', `the answer must be commit, rollback or unknown, not ${answer}`)
    } catch (error) {
      log.warn('nobody could say what becomes of a prepared message', { channel, id, checks, error })
      return 'unknown'
    }
  }

  #inTime<T>(answer: () => Promise<T>): Promise<T> {
    const { timers, settings } = this.#init
    return new Promise((resolve, reject) => {
      const timer = timers.set(settings.timeoutMs, () => {
        reject(new PosthasteError('DEADLINE_EXCEEDED', `no answer within ${settings.timeoutMs} ms`))
      })
      answer()
        .then(resolve, reject)
        .finally(() => timer.cancel())
    })
  }

  async #postpone({ record: { id }, checks }: PreparedRecord): Promise<void> {
    const { preparing, channel, clock, random, settings, log } = this.#init
    const asked = checks + 1
    const isParked = asked >= settings.checksMax
    // Half of the wait is certain: one drawn near zero would be a loop.
    const waitMs = backoffCeilingMs(settings.backoff, asked) * (0.5 + random() / 2)
    const checkAtMs = isParked ? Number.POSITIVE_INFINITY : clock.nowMs() + waitMs
    confirmed(await preparing.postpone({ channel, id }, checkAtMs), { channel, id })
    this.expect(checkAtMs)
    if (isParked) log.error('a prepared message waits for a decision by hand', { channel, id, checks: asked })
  }
}
