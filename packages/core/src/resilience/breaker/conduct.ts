import { type Call, PosthasteError } from '@posthaste/contracts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import type { Circuit, CircuitCounts, CircuitState, ForcedState, Outcome } from './circuit.ts'
import type { BreakerChange, BreakerSettings } from './options.ts'

/** What a breaker does around its circuit, or around each of its many: judges how calls ended, refuses, tells, and counts. */
export class Conduct {
  readonly #settings: BreakerSettings
  readonly #deps: FilterDeps
  /** Where no call can be slow, nobody need know when it began. */
  readonly timesCalls: boolean
  #rejected = 0
  #openings = 0

  constructor(settings: BreakerSettings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
    this.timesCalls = settings.slowMs !== Number.POSITIVE_INFINITY
  }

  /** Calls refused since it was made. */
  get rejected(): number {
    return this.#rejected
  }

  /** How often it opened since it was made. */
  get openings(): number {
    return this.#openings
  }

  nowMs(): number {
    return this.#deps.clock.monotonicMs()
  }

  /** What a success is. */
  success(startedAtMs: number, nowMs: number): Outcome {
    return nowMs - startedAtMs > this.#settings.slowMs ? 'slowSuccess' : 'success'
  }

  /** What a failure is. */
  failure(thrown: unknown, startedAtMs: number, nowMs: number): Outcome {
    if (!this.#counts(thrown)) return 'neutral'
    return nowMs - startedAtMs > this.#settings.slowMs ? 'slowFailure' : 'failure'
  }

  /** A judge that throws must neither hide the failure nor keep a probe's place: what cannot be judged counts. */
  #counts(thrown: unknown): boolean {
    try {
      return this.#settings.countsAsFailure(thrown)
    } catch (error) {
      this.#deps.log.error('countsAsFailure of a breaker threw', { target: this.#deps.target, error })
      return true
    }
  }

  /** Counts and tells of a call that is not let through, and makes the error for it. */
  refusal(call: Call, circuit: Circuit, nowMs: number): PosthasteError {
    this.#rejected++
    const retryAfterMs = Math.max(Math.ceil(circuit.notReadyForMs(nowMs)), 1)
    // Refusals may come in great numbers.
    if (this.#deps.onEvent !== undefined) {
      tell(this.#deps, {
        role: 'breaker',
        kind: 'refused',
        target: circuit.name,
        state: circuit.state.kind,
        retryAfterMs,
      })
    }
    const why = circuit.forced === 'open' ? 'the breaker is held open' : 'too many calls failed or were slow'
    const message = `${call.target}: ${why}; calls are let through again in ${retryAfterMs} ms`
    return new PosthasteError('BREAKER_OPEN', message, { retryAfterMs, notSent: true })
  }

  /** Counts, logs and tells of a move. */
  moved({ state: to, name: target }: Circuit, from: CircuitState, counts: CircuitCounts): void {
    const opened = to.kind === 'open'
    const openForMs = opened ? Math.ceil(to.untilMs - this.nowMs()) : 0
    const change: BreakerChange = { target, from: from.kind, to: to.kind, openForMs, counts }
    if (opened) this.#openings++
    if (opened) this.#deps.log.warn('breaker opened', { ...change })
    else this.#deps.log.info(to.kind === 'closed' ? 'breaker closed' : 'breaker lets probes through', { ...change })
    const kind = opened ? 'opened' : to.kind
    tell(this.#deps, { role: 'breaker', kind, target, from: from.kind, openForMs, ...counts })
    try {
      this.#settings.onStateChange?.(change)
    } catch (error) {
      this.#deps.log.error('onStateChange of a breaker threw', { target, error })
    }
  }

  /** Tells of an operator's act. */
  forced(target: string, to: ForcedState | undefined): void {
    this.#deps.log.info('breaker forced', { target, to: to ?? 'automatic' })
    tell(this.#deps, { role: 'breaker', kind: 'forced', target, to: to ?? 'automatic' })
  }
}

/** @throws CONFIG_INVALID when it is no state that a breaker can be forced into */
export function checkForced(to: ForcedState | undefined): void {
  if (to === undefined || to === 'open' || to === 'closed') return
  throw new PosthasteError('CONFIG_INVALID', `a breaker is forced 'open', 'closed' or undefined, not '${String(to)}'`)
}

/** Where a circuit stands, for a snapshot. Moves nothing. */
export function stateOf(circuit: Circuit, nowMs: number): Readonly<Record<string, unknown>> {
  const { state, forced } = circuit
  return {
    state: state.kind,
    ...(forced !== undefined && { forced }),
    ...circuit.counts(nowMs),
    ...(state.kind === 'halfOpen' && { probes: probesOf(state) }),
    notReadyForMs: Math.ceil(circuit.waitMs(nowMs)),
  }
}

function probesOf({ running, succeeded, failed, slow }: CircuitState & { readonly kind: 'halfOpen' }): object {
  return { running, succeeded, failed, slow }
}
