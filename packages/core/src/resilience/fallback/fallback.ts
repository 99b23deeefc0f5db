import {
  type Call,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type MaybePromise,
  PosthasteError,
  type Service,
  verdictOf,
} from '@posthaste/contracts'
import { type Continuation, continueWith } from '../../pipeline/continuation.ts'
import { attempt, isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  checkTogether,
  functionOption,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../../pipeline/options.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { isCalleeFailure } from '../failure.ts'
import { type Kept, LastGood, type LastGoodOptions, lastGoodSpec } from './last-good.ts'

export type { LastGoodOptions } from './last-good.ts'

/** What to answer when the service cannot: `value` or `answer`, or `lastGood` and, where there is none, one of these. */
export interface FallbackOptions {
  /**
   * Makes the answer, a value or a promise of one; must fit what the service answers, which no type can check here. May
   * throw when it has none either.
   */
  readonly answer?: ((call: Call, thrown: unknown) => unknown) | undefined
  /** The answer, the same to all calls: must be treated as immutable. */
  readonly value?: unknown
  /**
   * Answers with what the service last answered to the same call, of those that are idempotent by their contract. Meant for
   * calls that read; answers are kept as they are, so they must be treated as immutable.
   */
  readonly lastGood?: LastGoodOptions | undefined
  /**
   * Which failures are answered for. Default: verdict `retryable`, so timeouts and open breakers too, and INTERNAL; not
   * the caller's own mistakes, such as INVALID_ARGUMENT, and not cancellations.
   */
  readonly when?: ((thrown: unknown) => boolean) | undefined
}

interface Settings {
  readonly answer: ((call: Call, thrown: unknown) => unknown) | undefined
  readonly value: unknown
  readonly lastGood: LastGoodOptions | undefined
  readonly when: (thrown: unknown) => boolean
}

const spec: OptionsSpec<Settings> = {
  options: {
    answer: optional(functionOption<Settings['answer']>(undefined)),
    value: { fallback: undefined, expects: 'any value', accepts: () => true },
    lastGood: { fallback: undefined, expects: 'the options of the last good answer', accepts: isObject },
    when: functionOption<(thrown: unknown) => boolean>(isCalleeFailure),
  },
}

/**
 * Answers in place of a service that failed. Stands outside everything that may still save the call: retry, breaker and
 * both timeouts. If the fallback itself fails, its failure surfaces with the service's failure as its cause. A call with
 * `overrides.fallback: false` fails as it is.
 *
 * Events: `answered` (`by`: `value`, `function` or `lastGood`, then with `ageMs`; `code` of the failure) and `failed`, when
 * the function failed too.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function fallback(options: FallbackOptions, deps: FilterDeps): Filter {
  return new Fallback(read(options), deps)
}

interface Checked extends Omit<Settings, 'lastGood'> {
  readonly lastGood: LastGood | undefined
  readonly description: FilterDescription
}

function read(options: FallbackOptions): Checked {
  const settings = readOptions('fallback', options, spec)
  const { answer, value, lastGood, when } = settings
  const ways = Number(answer !== undefined) + Number(value !== undefined)
  const [kept] = checkTogether([
    () => lastGood && readOptions('fallback.lastGood', lastGood, lastGoodSpec),
    () => {
      const issues = []
      if (ways === 0 && lastGood === undefined)
        issues.push({ path: 'fallback', message: 'must have an answer, a value or lastGood' })
      if (ways === 2) issues.push({ path: 'fallback', message: 'must not have both an answer and a value' })
      refuseOptions(issues)
      return undefined
    },
  ])
  const otherwise = answer !== undefined ? 'function' : value !== undefined ? 'value' : 'none'
  const of = kept && { maxAgeMs: kept.maxAgeMs, keysMax: kept.keysMax }
  return {
    ...{ answer, value, when, lastGood: kept && new LastGood(kept) },
    description: { role: 'fallback', ...(of && { lastGood: of }), otherwise },
  }
}

/** Where an answer came from. */
type Source = 'value' | 'function' | 'lastGood'

class Fallback implements Filter, Continuation<Call> {
  readonly role = 'fallback'
  readonly #settings: Checked
  readonly #deps: FilterDeps
  readonly #answered = { value: 0, function: 0, lastGood: 0 }
  #failed = 0

  constructor(settings: Checked, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  /** Hot path: a call that succeeds costs nothing, or with `lastGood` a key and a place in a map. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    let result: MaybePromise<R>
    try {
      result = next(call)
    } catch (thrown) {
      return this.failed(thrown, call)
    }
    return isPromiseLike(result) ? continueWith(result, this, call) : this.succeeded(result, call)
  }

  succeeded<R>(value: R, call: Call): R {
    this.#settings.lastGood?.keep(call, value, this.#deps.clock.monotonicMs())
    return value
  }

  failed<R>(thrown: unknown, call: Call): MaybePromise<R> {
    const { when, lastGood, value, answer } = this.#settings
    if (call.overrides?.fallback === false || !when(thrown)) throw thrown
    const kept = lastGood?.of(call, this.#deps.clock.monotonicMs())
    if (kept !== undefined) return this.#told({ call, thrown, by: 'lastGood', kept }, kept.value as R)
    if (value !== undefined) return this.#told({ call, thrown, by: 'value' }, value as R)
    if (answer === undefined) throw thrown
    return attempt(
      () => answer(call, thrown) as MaybePromise<R>,
      (made) => this.#told({ call, thrown, by: 'function' }, made),
      (second) => {
        this.#failed++
        tell(this.#deps, { role: this.role, kind: 'failed', code: codeOf(second) })
        throw failedToo(call, second, thrown)
      },
    )
  }

  describe(): FilterDescription {
    return this.#settings.description
  }

  snapshot(): FilterSnapshot {
    const { value, function: called, lastGood } = this.#answered
    const counted = { answeredByValue: value, answeredByFunction: called, answeredByLastGood: lastGood }
    return { role: this.role, ...counted, failed: this.#failed, keys: this.#settings.lastGood?.size ?? 0 }
  }

  #told<R>({ call, thrown, by, kept }: Answered, value: R): R {
    this.#answered[by]++
    const { log, clock, onEvent } = this.#deps
    log.debug('the fallback answers', { target: call.target, id: call.id, by, error: thrown })
    if (onEvent !== undefined) {
      const age = kept && { ageMs: clock.monotonicMs() - kept.cameAtMs }
      tell(this.#deps, { role: this.role, kind: 'answered', by, code: codeOf(thrown), ...age })
    }
    return value
  }
}

interface Answered {
  readonly call: Call
  readonly thrown: unknown
  readonly by: Source
  readonly kept?: Kept
}

function codeOf(thrown: unknown): string {
  return PosthasteError.is(thrown) ? thrown.code : 'INTERNAL'
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function failedToo(call: Call, thrown: unknown, original: unknown): PosthasteError {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return new PosthasteError(
    PosthasteError.is(thrown) ? thrown.code : 'INTERNAL',
    `${call.target}: the fallback failed: ${text}`,
    {
      cause: original,
      verdict: verdictOf(thrown),
    },
  )
}
