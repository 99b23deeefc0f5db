import {
  type Call,
  type Filter,
  type MaybePromise,
  PosthasteError,
  type Service,
  verdictOf,
} from '@posthaste/contracts'
import { attempt } from '../../pipeline/maybe-promise.ts'
import { functionOption, type OptionsSpec, readOptions, required } from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { isCalleeFailure } from '../failure.ts'

/** What to answer when the service cannot. */
export interface FallbackOptions {
  /**
   * Makes the answer, a value or a promise of one; must fit what the service answers, which no type can check here. May
   * throw when it has none either.
   */
  readonly answer: (call: Call, thrown: unknown) => unknown
  /**
   * Which failures are answered for. Default: verdict `retryable`, so timeouts and open breakers too, and INTERNAL; not
   * the caller's own mistakes, such as INVALID_ARGUMENT, and not cancellations.
   */
  readonly when?: ((thrown: unknown) => boolean) | undefined
}

type Settings = Required<{ [K in keyof FallbackOptions]: NonNullable<FallbackOptions[K]> }>

const spec: OptionsSpec<Settings> = {
  options: {
    answer: required(functionOption<FallbackOptions['answer']>(() => undefined)),
    when: functionOption<(thrown: unknown) => boolean>(isCalleeFailure),
  },
}

/**
 * Answers in place of a service that failed. Stands outside everything that may still save the call: retry, breaker and
 * both timeouts. If the fallback itself fails, its failure surfaces with the service's failure as its cause.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function fallback(options: FallbackOptions, deps: FilterDeps): Filter {
  const { answer, when } = readOptions('fallback', options, spec)
  return {
    role: 'fallback',
    describe: () => ({ role: 'fallback' }),
    apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
      const instead = (thrown: unknown): MaybePromise<R> => {
        if (!when(thrown)) throw thrown
        deps.log.debug('the fallback answers', { target: call.target, id: call.id, error: thrown })
        return attempt(
          () => answer(call, thrown) as MaybePromise<R>,
          (value) => value,
          (second) => {
            throw failedToo(call, second, thrown)
          },
        )
      }
      return attempt(
        () => next(call),
        (value) => value,
        instead,
      )
    },
  }
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
