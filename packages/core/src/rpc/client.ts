import {
  type CalledMethod,
  type Cancellation,
  type ClientTransport,
  type Headers,
  type MaybePromise,
  type MethodContract,
  type MethodInput,
  type MethodOutput,
  type Methods,
  PosthasteError,
  type Service,
  type ServiceContract,
} from '@posthaste/contracts'
import { createCall } from '../pipeline/call.ts'
import { neverCancelled } from '../pipeline/cancellation.ts'
import { attempt } from '../pipeline/maybe-promise.ts'
import {
  checkTogether,
  durationOption,
  functionOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../pipeline/options.ts'
import { buildStack, editStack, type FilterDeps, type FilterStack, type StackEditor } from '../pipeline/stack.ts'
import type { BreakerOptions } from '../resilience/breaker.ts'
import type { RetryOptions } from '../resilience/retry.ts'
import { retryBudget } from '../resilience/retry-budget.ts'
import { type ClientStackOptions, clientStack } from './client-stack.ts'
import { type CallScope, scopeOf } from './scope.ts'
import { refuseStreams, targetOf } from './target.ts'

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

/** One method, as its callers see it. */
export type ClientMethod<M extends MethodContract> = (
  ...args: undefined extends MethodInput<M>
    ? [input?: MethodInput<M>, options?: CallOptions]
    : [input: MethodInput<M>, options?: CallOptions]
) => Promise<MethodOutput<M>>

/** A service, as its callers see it: one function per method. Each rejects with a `PosthasteError`. */
export type Client<M extends Methods> = { readonly [K in keyof M]: ClientMethod<M[K]> }

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

/** What calling needs of its host. */
export interface ClientHost extends Omit<FilterDeps, 'target'> {
  readonly newId: () => string
  /** Carries the calls of clients that bring no transport. */
  readonly local: ClientTransport
  /** Why no calls can be made just now; undefined while they can. */
  readonly refusal: () => PosthasteError | undefined
}

/** A client, and what stands around each of its methods. */
export interface StackedClient<M extends Methods> {
  readonly client: Client<M>
  readonly stacks: ReadonlyMap<string, FilterStack>
}

interface Settings {
  readonly transport: ClientTransport | undefined
  readonly timeoutMs: number
  readonly attemptTimeoutMs: number | undefined
  readonly retry: RetryOptions | undefined
  readonly breaker: BreakerOptions | undefined
  readonly fallback: Readonly<Record<string, ClientStackOptions['fallback']>> | undefined
  readonly stack: NonNullable<ClientOptions<Methods>['stack']>
}

const spec: OptionsSpec<Settings> = {
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
 * Makes a client of a service.
 *
 * @throws CONFIG_INVALID listing every wrong option; CAPABILITY_UNSUPPORTED for streaming methods
 */
export function serviceClient<M extends Methods>(
  service: ServiceContract<M>,
  options: ClientOptions<M>,
  host: ClientHost,
): StackedClient<M> {
  refuseStreams(service)
  const what = `client(${service.name})`
  const settings = readOptions(what, options, spec)
  const budget = retryBudget({}, host.clock)
  const stacks = new Map<string, FilterStack>()
  const stackOf = (method: string, contract: MethodContract): FilterStack => {
    const { attemptTimeoutMs, retry, breaker, fallback, transport } = settings
    const stackOptions = {
      contract,
      attemptTimeoutMs,
      retry,
      budget,
      breaker,
      fallback: fallback?.[method],
      remote: transport !== undefined,
    }
    return buildStack(settings.stack(editStack(clientStack)).slots, stackOptions, {
      ...host,
      target: targetOf(service.name, method),
    })
  }
  checkTogether([
    () => refuseOptions(fallbackMistakes(what, service, settings.fallback ?? {})),
    // The stacks of all methods are set alike: one finds all mistakes, and each once.
    ...Object.entries(service.methods)
      .slice(0, 1)
      .map(
        ([method, contract]) =>
          () =>
            void stackOf(method, contract),
      ),
  ])
  const transport = settings.transport ?? host.local
  const client: Record<string, unknown> = {}
  for (const [method, contract] of Object.entries(service.methods)) {
    const stack = stackOf(method, contract)
    stacks.set(targetOf(service.name, method), stack)
    const called = { service: service.name, method, contract }
    client[method] = callable(
      called,
      { run: stack.around(carrying(called, transport, host)), timeoutMs: settings.timeoutMs },
      host,
    )
  }
  return { client: Object.freeze(client) as Client<M>, stacks }
}

function fallbackMistakes(
  what: string,
  service: ServiceContract,
  fallbacks: Readonly<Record<string, unknown>>,
): { path: string; message: string }[] {
  return Object.keys(fallbacks).flatMap((method) => {
    const path = `${what}.fallback.${method}`
    if (!Object.hasOwn(service.methods, method))
      return [{ path, message: `is not a method; there are ${Object.keys(service.methods).join(', ')}` }]
    const isAnswer = fallbacks[method] === undefined || typeof fallbacks[method] === 'function'
    return isAnswer ? [] : [{ path, message: 'must be a function of the input and the error' }]
  })
}

/** The innermost service: the transport, with what is left of the time. */
function carrying(method: CalledMethod, transport: ClientTransport, host: ClientHost): Service {
  return (call) => {
    const leftMs = call.deadlineAtMs - host.clock.monotonicMs()
    const timeoutMs = leftMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, leftMs)
    const { payload, headers, id, cancellation } = call
    return attempt(
      () => transport.call(method, { payload, headers, timeoutMs, id, cancellation }),
      (answer) => answer,
      (thrown) => {
        throw PosthasteError.from(thrown, 'INTERNAL', `${call.target} over ${transport.name}`)
      },
    )
  }
}

interface Callable {
  readonly run: Service
  readonly timeoutMs: number
}

const noOptions: CallOptions = Object.freeze({})

/** Hot path: one call, one promise, and a cancellation only where the caller brings one. */
function callable(
  method: CalledMethod,
  { run, timeoutMs }: Callable,
  host: ClientHost,
): (input: unknown, options?: CallOptions) => Promise<unknown> {
  const target = targetOf(method.service, method.method)
  const idempotent = method.contract.idempotent ?? false
  const make = (input: unknown, options: CallOptions, cancellation: Cancellation): MaybePromise<unknown> => {
    const refusal = host.refusal() ?? cancellation.reason
    if (refusal !== undefined) throw refusal
    const ownDeadlineAtMs = host.clock.monotonicMs() + (options.timeoutMs ?? timeoutMs)
    const deadlineAtMs = Math.min(ownDeadlineAtMs, options.within?.deadlineAtMs ?? Number.POSITIVE_INFINITY)
    const headers = options.headers ?? noHeaders
    return run(
      createCall({
        kind: 'request',
        target,
        id: host.newId(),
        payload: input,
        headers,
        deadlineAtMs,
        idempotent,
        cancellation,
      }),
    )
  }
  return async (input, options = noOptions) => {
    if (options === noOptions) return make(input, options, neverCancelled)
    checkCallOptions(target, options)
    const scope = scopeOf(options)
    try {
      return await make(input, options, scope.cancellation)
    } finally {
      scope.leave()
    }
  }
}

const noHeaders: Headers = Object.freeze({})

const callOptions: ReadonlySet<string> = new Set(['timeoutMs', 'headers', 'signal', 'within'])

function checkCallOptions(target: string, { timeoutMs, ...options }: CallOptions): void {
  const unknown = Object.keys(options).filter((name) => !callOptions.has(name))
  if (unknown.length > 0)
    throw new PosthasteError('CONFIG_INVALID', `${target}: ${unknown.join(', ')} is not an option of a call`)
  if (timeoutMs !== undefined && !(timeoutMs >= 1 && timeoutMs < 2 ** 31)) {
    throw new PosthasteError(
      'CONFIG_INVALID',
      `${target}: timeoutMs must be milliseconds from 1 to 2147483647, not ${timeoutMs}`,
    )
  }
}
