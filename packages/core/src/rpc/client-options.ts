import {
  type ClientTransport,
  type Headers,
  type Issue,
  type MaybePromise,
  type MethodInput,
  type MethodOutput,
  type Methods,
  PosthasteError,
  type ServiceContract,
} from '@posthaste/contracts'
import {
  durationOption,
  functionOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../pipeline/options.ts'
import type { StackEditor } from '../pipeline/stack.ts'
import type { BreakerOptions } from '../resilience/breaker/breaker.ts'
import type { RetryOptions } from '../resilience/retry/retry.ts'
import type { ClientStackOptions } from './client-stack.ts'
import type { CallScope } from './scope.ts'

/** How one call is made. */
export interface CallOptions {
  /** Milliseconds this call may take, its retries included, 1 to 2^31-1. Default: the client's own. */
  readonly timeoutMs?: number | undefined
  /** Sent along, names in lower case. */
  readonly headers?: Headers | undefined
  /** Gives the call up when it aborts. */
  readonly signal?: AbortSignal | undefined
  /** The call this one is made for, as the handler was given it: its deadline and its cancellation hold for this one too. */
  readonly within?: CallScope | undefined
}

/** Answers in place of a callee that failed, by method. */
export type Fallbacks<M extends Methods> = {
  readonly [K in keyof M]?:
    | ((input: MethodInput<M[K]>, error: PosthasteError) => MaybePromise<MethodOutput<M[K]>>)
    | undefined
}

/** How the calls of a client are made. */
export interface ClientOptions<M extends Methods> {
  /** What carries the calls. Default: they go to what is served in this process. */
  readonly transport?: ClientTransport | undefined
  /** Milliseconds one call may take, its retries included, 1 to 2^31-1. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** Milliseconds one attempt may take, 1 to 2^31-1. Default: as long as the call. */
  readonly attemptTimeoutMs?: number | undefined
  /** Makes failed calls again where that is safe: idempotent ones, and those that were never sent. Default: never. */
  readonly retry?: RetryOptions | undefined
  /** Stops calling a method that fails, one breaker per method. Default: none. */
  readonly breaker?: BreakerOptions | undefined
  /** What to answer when a method cannot. */
  readonly fallback?: Fallbacks<M> | undefined
  /** Edits the calling stack, {@link clientStack}, of every method. */
  readonly stack?: ((editor: StackEditor<ClientStackOptions>) => StackEditor<ClientStackOptions>) | undefined
}

/** The options of a client with defaults filled in. */
export interface ClientSettings {
  readonly transport: ClientTransport | undefined
  readonly timeoutMs: number
  readonly attemptTimeoutMs: number | undefined
  readonly retry: RetryOptions | undefined
  readonly breaker: BreakerOptions | undefined
  readonly fallback: Readonly<Record<string, ClientStackOptions['fallback']>> | undefined
  readonly stack: NonNullable<ClientOptions<Methods>['stack']>
}

const spec: OptionsSpec<ClientSettings> = {
  options: {
    transport: objectOption('a transport'),
    timeoutMs: durationOption(30_000, { min: 1 }),
    attemptTimeoutMs: optional(durationOption(0, { min: 1 })),
    retry: objectOption('the options of a retry'),
    breaker: objectOption('the options of a breaker'),
    fallback: objectOption('an object of functions by method'),
    stack: functionOption((editor) => editor),
  },
}

function objectOption<T extends object>(expects: string): OptionSpec<T | undefined> {
  return {
    fallback: undefined,
    expects,
    accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  }
}

/**
 * Options of a client with defaults filled in. What retry and breaker hold is read by the filters.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function readClientOptions(what: string, options: object): ClientSettings {
  return readOptions(what, options, spec)
}

/** @throws CONFIG_INVALID listing every fallback that is no function, or for no method of the service */
export function checkFallbacks(what: string, service: ServiceContract, fallbacks: object = {}): void {
  const mistakes = Object.entries(fallbacks).flatMap(([method, answer]): Issue[] => {
    const path = `${what}.fallback.${method}`
    if (!Object.hasOwn(service.methods, method)) {
      return [{ path, message: `is not a method; there are ${Object.keys(service.methods).join(', ')}` }]
    }
    const isAnswer = answer === undefined || typeof answer === 'function'
    return isAnswer ? [] : [{ path, message: 'must be a function of the input and the error' }]
  })
  refuseOptions(mistakes)
}

const callOptions: ReadonlySet<string> = new Set(['headers', 'signal', 'within'])

/** @throws CONFIG_INVALID */
export function checkCallOptions(target: string, { timeoutMs, ...options }: CallOptions): void {
  const unknown = Object.keys(options).filter((name) => !callOptions.has(name))
  if (unknown.length > 0) {
    throw new PosthasteError('CONFIG_INVALID', `${target}: ${unknown.join(', ')} is not an option of a call`)
  }
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs < 2 ** 31)) {
    throw new PosthasteError(
      'CONFIG_INVALID',
      `${target}: timeoutMs must be milliseconds from 1 to 2^31-1, not ${timeoutMs}`,
    )
  }
}
