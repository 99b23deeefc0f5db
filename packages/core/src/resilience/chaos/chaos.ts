import {
  type Call,
  type Filter,
  type FilterSnapshot,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { andThen } from '../../pipeline/maybe-promise.ts'
import { checkTogether, functionOption, numberOption, type OptionSpec, readOptions } from '../../pipeline/options.ts'
import { sleep } from '../../pipeline/sleep.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'

/** Makes calls slower. */
export interface ChaosLatency {
  /** The share of calls, 0 to 1. */
  readonly rate: number
  /** Milliseconds by which a call is held back before it is passed on: so many, or evenly from one to another; to 2^31-1. */
  readonly ms: number | readonly [min: number, max: number]
}

/** Refuses calls before they are passed on. */
export interface ChaosError {
  /** The share of calls, 0 to 1. */
  readonly rate: number
  /** Makes what is thrown. Default: UNAVAILABLE with `notSent`. */
  readonly error?: ((call: Call) => unknown) | undefined
}

/** Loses the answers of calls that were done: UNAVAILABLE without `notSent`, so nobody can tell whether they were. */
export interface ChaosAbort {
  /** The share of calls, 0 to 1. */
  readonly rate: number
}

/** Which faults are injected. Each is drawn for by itself, and what is left out is not injected. */
export interface ChaosOptions {
  readonly latency?: ChaosLatency | undefined
  readonly error?: ChaosError | undefined
  readonly abort?: ChaosAbort | undefined
  /** Which calls may be hit. Default: all. */
  readonly when?: ((call: Call) => boolean) | undefined
}

/** A source of faults that can be turned up and down while it runs. */
export interface Chaos extends Filter {
  /**
   * Replaces the faults that are named, for the calls that come from now on; the others stay as they are.
   * @throws CONFIG_INVALID when an option is wrong; then nothing changes
   */
  set(change: ChaosOptions): void
}

interface Faults {
  readonly latencyRate: number
  readonly latencyMs: readonly [min: number, max: number]
  readonly errorRate: number
  readonly error: (call: Call) => unknown
  readonly abortRate: number
  readonly when: (call: Call) => boolean
}

const everyCall = (): boolean => true
const refused = ({ target }: Call): PosthasteError =>
  new PosthasteError('UNAVAILABLE', `${target}: refused on purpose, by chaos`, { notSent: true })

const calm: Faults = {
  ...{ latencyRate: 0, latencyMs: [0, 0], errorRate: 0, error: refused, abortRate: 0, when: everyCall },
}

const rate: OptionSpec<number> = { ...numberOption(0, { min: 0, max: 1 }), required: true }
const group: OptionSpec<unknown> = {
  ...{ fallback: undefined, expects: 'an object with a rate' },
  accepts: (value) => typeof value === 'object' && value !== null,
}
const msMax = 2 ** 31 - 1
const milliseconds: OptionSpec<ChaosLatency['ms']> = {
  ...{ fallback: 0, required: true, expects: `milliseconds from 0 to ${msMax}, or [least, most]` },
  accepts: (value) => {
    const [min, max, ...more] = Array.isArray(value) ? value : [value, value]
    const areNumbers = typeof min === 'number' && typeof max === 'number' && more.length === 0
    return areNumbers && min >= 0 && max >= min && max <= msMax
  },
}

/** What the options say, with the faults that they do not name as they were. */
function read(options: ChaosOptions, before: Faults): Faults {
  const given: Pick<ChaosOptions, keyof ChaosOptions> = Object(options)
  const parts = checkTogether<Partial<Faults>>([
    () => {
      const plain = { latency: group, error: group, abort: group }
      const { when } = readOptions('chaos', options, { options: { ...plain, when: functionOption(before.when) } })
      return { when }
    },
    () => (isObject(given.latency) ? latencyOf(given.latency) : {}),
    () => (isObject(given.error) ? errorOf(given.error) : {}),
    () => {
      if (!isObject(given.abort)) return {}
      return { abortRate: readOptions('chaos.abort', given.abort, { options: { rate } }).rate }
    },
  ])
  return Object.assign({}, before, ...parts) as Faults
}

function latencyOf(given: object): Partial<Faults> {
  const latency = readOptions<{ rate: number; ms: ChaosLatency['ms'] }>('chaos.latency', given, {
    options: { rate, ms: milliseconds },
  })
  const [min, max] = typeof latency.ms === 'number' ? [latency.ms, latency.ms] : latency.ms
  return { latencyRate: latency.rate, latencyMs: [min, max] }
}

function errorOf(given: object): Partial<Faults> {
  const { rate: errorRate, error } = readOptions<{ rate: number; error: Faults['error'] }>('chaos.error', given, {
    options: { rate, error: functionOption(refused) },
  })
  return { errorRate, error }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

/**
 * Injects faults: latency, refusals, and answers that are lost. Stands innermost, right around the service, so that
 * everything else sees its faults as the service's own. Injects nothing unless asked to, and warns in the log where it is.
 * What is drawn comes from `deps.random`, so that a run with a seed can be repeated. Cancelling ends a delay at once.
 *
 * Event: `injected` (`fault`: `latency` with `delayMs`, `error` or `abort`).
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function chaos(options: ChaosOptions, deps: FilterDeps): Chaos {
  return new FaultInjection(read(options, calm), deps)
}

class FaultInjection implements Chaos {
  readonly role = 'chaos'
  readonly #deps: FilterDeps
  readonly #injected = { latency: 0, error: 0, abort: 0 }
  #faults: Faults = calm
  #active = false

  constructor(faults: Faults, deps: FilterDeps) {
    this.#deps = deps
    this.#use(faults)
  }

  set(change: ChaosOptions): void {
    this.#use(read(change, this.#faults))
  }

  /** Hot path: without faults it is a look at a flag. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    if (!this.#active || !this.#faults.when(call)) return next(call)
    const faults = this.#faults
    if (!this.#draws(faults.latencyRate)) return this.#passOn(call, next, faults)
    const [min, max] = faults.latencyMs
    const delayMs = min + this.#deps.random() * (max - min)
    this.#tell('latency', { delayMs })
    return sleep(delayMs, this.#deps.timers, call.cancellation).then(() => this.#passOn(call, next, faults))
  }

  /** Settings that may change are no description: they are in the snapshot. */
  describe() {
    return { role: this.role }
  }

  snapshot(): FilterSnapshot {
    const { latencyRate, latencyMs, errorRate, abortRate } = this.#faults
    const { latency, error, abort } = this.#injected
    const counted = { latencies: latency, errors: error, aborts: abort }
    return { role: this.role, latencyRate, latencyMs, errorRate, abortRate, ...counted }
  }

  #passOn<P, R>(call: Call<P>, next: Service<P, R>, { errorRate, error, abortRate }: Faults): MaybePromise<R> {
    if (this.#draws(errorRate)) {
      this.#tell('error')
      throw error(call)
    }
    if (!this.#draws(abortRate)) return next(call)
    const lose = (): never => {
      this.#tell('abort')
      throw new PosthasteError('UNAVAILABLE', `${call.target}: the answer was lost on purpose, by chaos`)
    }
    return andThen(next(call), lose)
  }

  #draws(share: number): boolean {
    return share > 0 && this.#deps.random() < share
  }

  #tell(fault: 'latency' | 'error' | 'abort', detail = {}): void {
    this.#injected[fault]++
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: this.role, kind: 'injected', fault, ...detail })
  }

  #use(faults: Faults): void {
    const { latencyRate, errorRate, abortRate } = faults
    this.#faults = faults
    this.#active = latencyRate + errorRate + abortRate > 0
    if (!this.#active) return
    const { target, log } = this.#deps
    log.warn('faults are injected on purpose', { target, latencyRate, errorRate, abortRate })
  }
}
