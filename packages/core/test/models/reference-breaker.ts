import fc from 'fast-check'
import type { BreakerOptions } from '../../src/resilience/breaker/options.ts'

/** How a call of a program ends. */
export type Ending = 'ok' | 'failed' | 'neutral'

export type ReferenceSettings = Required<Omit<BreakerOptions, 'countsAsFailure' | 'onStateChange'>>

interface Ended {
  readonly atMs: number
  readonly failed: boolean
  readonly slow: boolean
}

/** A call that was let through: since when, and in which state of the breaker, numbered from its beginning. */
export interface Begun {
  readonly atMs: number
  readonly stateNumber: number
}

/** What a breaker does, told as plainly as can be: it keeps a list of all that ended, and looks through it each time. */
export class ReferenceBreaker {
  readonly #settings: ReferenceSettings
  readonly #drawn: number
  state: 'closed' | 'open' | 'halfOpen' = 'closed'
  forced: 'open' | 'closed' | undefined = undefined
  #stateNumber = 0
  #ended: Ended[] = []
  #untilMs = 0
  #openings = 0
  #running = 0
  #rampSinceMs = Number.NEGATIVE_INFINITY
  #credit = 0

  /** `drawn` is what its dice always show. */
  constructor(settings: ReferenceSettings, drawn: number) {
    this.#settings = settings
    this.#drawn = drawn
  }

  /** Those that count: of a half-open state all since it began, of a closed one those in the window. */
  counted(nowMs: number): readonly Ended[] {
    const { windowCalls, windowMs } = this.#settings
    if (this.state === 'halfOpen') return this.#ended
    if (windowCalls !== undefined) return this.#ended.slice(-windowCalls)
    const tenth = (ms: number): number => Math.floor(ms / (windowMs! / 10))
    return this.#ended.filter(({ atMs }) => tenth(atMs) > tenth(nowMs) - 10)
  }

  waitMs(nowMs: number): number {
    if (this.state === 'closed') return 0
    if (this.forced === 'open') return 1_000
    const leftMs = Math.max(this.#untilMs - nowMs, 0)
    if (this.state === 'open') return leftMs
    return this.#running + this.#ended.length >= this.#settings.probes! ? Math.min(leftMs, 100) : 0
  }

  /** What somebody who looks brings about: a half-open state that has lasted too long is decided. */
  look(nowMs: number): void {
    if (this.state !== 'halfOpen' || nowMs < this.#untilMs) return
    if (this.#ended.length > 0 ? this.#isSick(this.#ended, this.#ended.length) : this.#running > 0) this.#open(nowMs)
    else if (this.#ended.length > 0) this.#close(nowMs)
    else this.#halfOpen(nowMs)
  }

  begin(nowMs: number): Begun | undefined {
    this.look(nowMs)
    if (this.state === 'closed' && !this.#climbs(nowMs)) return undefined
    if (this.state === 'open' && (this.forced === 'open' || nowMs < this.#untilMs)) return undefined
    if (this.state === 'open') this.#halfOpen(nowMs)
    if (this.state === 'halfOpen') {
      if (this.#running + this.#ended.length >= this.#settings.probes!) return undefined
      this.#running++
    }
    return { atMs: nowMs, stateNumber: this.#stateNumber }
  }

  end({ atMs, stateNumber }: Begun, how: Ending, nowMs: number): void {
    if (stateNumber !== this.#stateNumber) return
    if (this.state === 'halfOpen') this.#running--
    if (how === 'neutral') return
    this.#ended.push({ atMs: nowMs, failed: how === 'failed', slow: nowMs - atMs > this.#settings.slowMs! })
    if (this.state === 'halfOpen') {
      if (this.#isSick(this.#ended, this.#settings.probes!)) this.#open(nowMs)
      else if (this.#ended.length === this.#settings.probes!) this.#close(nowMs)
    } else if (this.forced === undefined) {
      const counted = this.counted(nowMs)
      if (counted.length >= this.#settings.callsMin! && this.#isSick(counted, counted.length)) this.#open(nowMs)
    }
  }

  force(to: 'open' | 'closed' | undefined): void {
    if (to === this.forced) return
    this.forced = to
    // What a half-open state counted was its probes; it is not what the window holds.
    if (to !== 'open') this.#ended = []
    this.#become(to === 'open' ? 'open' : 'closed')
    this.#rampSinceMs = Number.NEGATIVE_INFINITY
    this.#openings = 0
  }

  #isSick(ended: readonly Ended[], outOf: number): boolean {
    const { failurePercent, slowPercent } = this.#settings
    const failed = ended.filter((one) => one.failed).length
    const slow = ended.filter((one) => one.slow).length
    return failed * 100 >= failurePercent! * outOf || slow * 100 >= slowPercent! * outOf
  }

  #climbs(nowMs: number): boolean {
    const rampMs = this.#settings.rampMs!
    if (nowMs - this.#rampSinceMs >= rampMs) return true
    this.#credit += 0.1 + (1 - 0.1) * ((nowMs - this.#rampSinceMs) / rampMs)
    if (this.#credit < 1) return false
    this.#credit -= 1
    return true
  }

  #become(state: 'closed' | 'open' | 'halfOpen'): void {
    this.state = state
    this.#stateNumber++
    this.#running = 0
  }

  #open(nowMs: number): void {
    this.#openings = this.state === 'closed' ? 1 : this.#openings + 1
    const { openMs, openMsMax } = this.#settings
    const grown = Math.min(openMs! * 2 ** (this.#openings - 1), openMsMax!)
    this.#untilMs = nowMs + grown * (1 - 0.2 + 2 * 0.2 * this.#drawn)
    this.#become('open')
  }

  #halfOpen(nowMs: number): void {
    this.#ended = []
    this.#untilMs = nowMs + this.#settings.probeWaitMs!
    this.#become('halfOpen')
  }

  #close(nowMs: number): void {
    this.#ended = []
    this.#rampSinceMs = nowMs
    this.#credit = 1
    this.#become('closed')
  }
}

/** Settings under which much happens within a program. */
export const breakerSettings: fc.Arbitrary<ReferenceSettings> = fc
  .record({
    failurePercent: fc.integer({ min: 1, max: 100 }),
    slowMs: fc.constantFrom(undefined, 1, 50, 500),
    slowPercent: fc.integer({ min: 1, max: 100 }),
    callsMin: fc.integer({ min: 1, max: 6 }),
    window: fc.oneof(
      fc.record({ windowMs: fc.integer({ min: 100, max: 5_000 }), windowCalls: fc.constant(undefined) }),
      fc.record({ windowMs: fc.constant(undefined), windowCalls: fc.integer({ min: 6, max: 20 }) }),
    ),
    openMs: fc.integer({ min: 1, max: 500 }),
    openMsMax: fc.integer({ min: 500, max: 2_000 }),
    probes: fc.integer({ min: 1, max: 4 }),
    probeWaitMs: fc.integer({ min: 1, max: 1_000 }),
    rampMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 2_000 })),
  })
  .map(({ window, slowMs = Number.POSITIVE_INFINITY, ...settings }) => ({ ...settings, ...window, slowMs }))

/** The same as a user would write them. */
export function optionsOf({ slowMs, ...settings }: ReferenceSettings): BreakerOptions {
  return { ...settings, ...(slowMs !== Number.POSITIVE_INFINITY && { slowMs }) }
}
