import {
  type Call,
  type CalledMethod,
  type Cancellation,
  type ClientTransport,
  isStreaming,
  type MaybePromise,
  type MethodContract,
  type MethodInput,
  type MethodOutput,
  type Methods,
  PosthasteError,
  type Service,
  type ServiceContract,
  type StreamOf,
} from '@posthaste/contracts'
import { createCall } from '../pipeline/call.ts'
import { neverCancelled } from '../pipeline/cancellation.ts'
import { type Continuation, continueWith } from '../pipeline/continuation.ts'
import { isPromiseLike } from '../pipeline/maybe-promise.ts'
import { checkTogether, checkWithin, refuseOptions } from '../pipeline/options.ts'
import { buildStack, editStack, type FilterStack, type StackSlot } from '../pipeline/stack.ts'
import { policyStack } from '../resilience/policies/policy-stack.ts'
import { type RetryBudget, retryBudget } from '../resilience/retry/retry-budget.ts'
import { type CallOptions, checkCallOptions, headersOf, type StreamCallOptions } from './call-options.ts'
import { type ClientOptions, type ClientSettings, readClientOptions, soundClientOptions } from './client-options.ts'
import { type ClientStackOptions, clientStackOf, ofTheClient } from './client-stack.ts'
import { checkFallbacks, fallbackOf } from './fallbacks.ts'
import type { ClientHost } from './hosts.ts'
import { scopeOf } from './scope.ts'
import { sharedSlots } from './shared-slots.ts'
import { streamCallable } from './streams/calling.ts'
import { carryingStreams } from './streams/carrying.ts'
import { streamSlots, uselessPolicies } from './streams/stream-filters.ts'
import { refuseUncarried, targetOf } from './target.ts'

/**
 * One method, as its callers see it. Where the output is a stream, the call begins when its first item is asked for, and is
 * over when the stream has ended or nobody wants more of it: `for await (const stock of inventory.watch(ref))`.
 */
export type ClientMethod<M extends MethodContract> = (
  ...args: undefined extends MethodInput<M>
    ? [input?: MethodInput<M>, options?: OptionsOf<M>]
    : [input: MethodInput<M>, options?: OptionsOf<M>]
) => M['output'] extends StreamOf ? MethodOutput<M> : Promise<MethodOutput<M>>

type OptionsOf<M extends MethodContract> = M['output'] extends StreamOf
  ? StreamCallOptions
  : M['input'] extends StreamOf
    ? StreamCallOptions
    : CallOptions

/** A service, as its callers see it: one function per method. Each fails with a `PosthasteError`. */
export type Client<M extends Methods> = { readonly [K in keyof M]: ClientMethod<M[K]> }

/** A client, and what stands around each of its methods by target. */
export interface StackedClient<M extends Methods> {
  readonly client: Client<M>
  readonly stacks: ReadonlyMap<string, FilterStack>
}

/**
 * Makes a client of a service.
 *
 * @throws CONFIG_INVALID listing every wrong option; CAPABILITY_UNSUPPORTED for methods with streams over a transport that
 *   carries none
 */
export function serviceClient<M extends Methods>(
  service: ServiceContract<M>,
  options: ClientOptions<M>,
  host: ClientHost,
): StackedClient<M> {
  const transport = options.transport ?? host.local
  const what = `client(${service.name})`
  const settings = soundClientOptions(options)
  const { preset, timeoutMs = preset?.timeoutMs ?? timeoutDefaultMs } = settings
  const budget = retryBudget({}, host.clock)
  const { slots: edited } = settings.stack(editStack(clientStackOf(preset?.slots ?? policyStack)))
  const slots = sharedSlots(edited, ofTheClient, service.name)
  const methods = Object.entries(service.methods).map(([method, contract]) => ({
    service: service.name,
    method,
    contract,
  }))
  const stackOf = (method: CalledMethod): FilterStack => methodStack(method, { ...settings, slots, budget }, host)
  checkTogether<unknown>([
    () => readClientOptions(what, options),
    () => checkFallbacks(what, service, settings.fallback),
    () => refuseOptions(uselessPolicies(what, service, { cache: settings.cache, hedge: settings.hedge })),
    // The stacks of all methods are set alike, but for streams, which lack some: one finds all mistakes, and each once.
    ...[methods.find(({ contract }) => !isStreaming(contract)) ?? methods[0]!].map(
      (method) => () => checkWithin(what, () => stackOf(method)),
    ),
  ])
  refuseUncarried(service, transport)
  const stacks = new Map<string, FilterStack>()
  const client: Record<string, unknown> = {}
  for (const method of methods) {
    const stack = checkWithin(what, () => stackOf(method))
    stacks.set(targetOf(method.service, method.method), stack)
    if (isStreaming(method.contract)) {
      const run = stack.around(carryingStreams(method, transport, host))
      const { streamTimeoutMs = Number.POSITIVE_INFINITY } = settings
      client[method.method] = streamCallable(method, { run, timeoutMs: streamTimeoutMs }, host)
    } else {
      const run = stack.around(carrying(method, transport, host))
      client[method.method] = callable(method, { run, timeoutMs }, host)
    }
  }
  return { client: Object.freeze(client) as Client<M>, stacks }
}

const timeoutDefaultMs = 30_000

interface MethodSettings extends ClientSettings {
  readonly slots: readonly StackSlot<ClientStackOptions>[]
  readonly budget: RetryBudget
}

function methodStack(called: CalledMethod, settings: MethodSettings, host: ClientHost): FilterStack {
  const { service, method, contract } = called
  const { slots, transport, preset: _, stack: __, timeoutMs: ___, fallback: answers = {}, ...others } = settings
  const { streamTimeoutMs: ____, ...policies } = others
  const fallback = fallbackOf(Object.hasOwn(answers, method) ? answers[method] : undefined)
  const options: ClientStackOptions = { ...policies, contract, fallback, remote: transport !== undefined }
  return buildStack(isStreaming(contract) ? streamSlots(slots) : slots, options, {
    ...host,
    target: targetOf(service, method),
  })
}

/** The innermost service: the transport, with what is left of the time. No closure per call. */
function carrying(method: CalledMethod, transport: ClientTransport, host: ClientHost): Service {
  const failed = (thrown: unknown, { target }: Call): never => {
    throw PosthasteError.from(thrown, 'INTERNAL', `${target} over ${transport.name}`)
  }
  const carried: Continuation<Call> = { succeeded: (answer) => answer, failed }
  const wraps = transport.failsTyped !== true
  return (call) => {
    const leftMs = call.deadlineAtMs - host.clock.monotonicMs()
    const timeoutMs = leftMs === Number.POSITIVE_INFINITY ? undefined : Math.max(0, leftMs)
    const { payload, headers, id, cancellation } = call
    let answer: unknown
    try {
      answer = transport.call(method, { payload, headers, timeoutMs, id, cancellation })
    } catch (thrown) {
      return failed(thrown, call)
    }
    return wraps && isPromiseLike(answer) ? continueWith(answer, carried, call) : answer
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
  const make = (payload: unknown, options: CallOptions, cancellation: Cancellation): MaybePromise<unknown> => {
    const refusal = host.refusal() ?? cancellation.reason
    if (refusal !== undefined) throw refusal
    const { within } = options
    const ownDeadlineAtMs = host.clock.monotonicMs() + (options.timeoutMs ?? timeoutMs)
    const deadlineAtMs = Math.min(ownDeadlineAtMs, within?.deadlineAtMs ?? Number.POSITIVE_INFINITY)
    return run(
      createCall({
        kind: 'request',
        target,
        id: host.newId(),
        payload,
        headers: headersOf(options),
        deadlineAtMs,
        idempotent,
        cancellation,
        overrides: options === noOptions ? undefined : options,
      }),
    )
  }
  const makeWith = async (input: unknown, options: CallOptions): Promise<unknown> => {
    checkCallOptions(target, options)
    const scope = scopeOf(options)
    try {
      return await make(input, options, scope.cancellation)
    } finally {
      scope.leave()
    }
  }
  // The promise that the stack answers with, not one around it.
  return (input, options = noOptions) => {
    if (options !== noOptions) return makeWith(input, options)
    try {
      return Promise.resolve(make(input, options, neverCancelled))
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }
}
