import {
  type Call,
  type HandlerInput,
  type HandlerOutput,
  type Issue,
  isStream,
  isStreaming,
  type Log,
  type MaybePromise,
  type Methods,
  PosthasteError,
  type ServedMethod,
  type Service,
  type ServiceContract,
} from '@posthaste/contracts'
import { type Continuation, continueWith } from '../pipeline/continuation.ts'
import { isPromiseLike } from '../pipeline/maybe-promise.ts'
import {
  checkTogether,
  checkWithin,
  durationOption,
  functionOption,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
  soundOptions,
} from '../pipeline/options.ts'
import { buildStack, editStack, type FilterStack, type StackEditor } from '../pipeline/stack.ts'
import { wasNotSent } from '../resilience/failure.ts'
import { policyOption } from '../resilience/policies/policy.ts'
import type { ServeContext } from './context.ts'
import type { ServeHost } from './hosts.ts'
import { ServedCall } from './served-call.ts'
import { ofTheService, type ServerPolicies, type ServerStackOptions, serverStack } from './server-stack.ts'
import { sharedSlots } from './shared-slots.ts'
import { handlingStreams, ServedStreamCall } from './streams/serving.ts'
import { streamSlots, uselessPolicies } from './streams/stream-filters.ts'
import { targetOf } from './target.ts'

/**
 * One function per method of a service. What it returns is checked, and stripped, by the output's schema; where that is a
 * stream, whatever can be iterated will do: an async generator above all, whose `finally` runs however the stream ends.
 */
export type ServiceHandlers<M extends Methods, C = ServeContext> = {
  readonly [K in keyof M]: (input: HandlerInput<M[K]>, ctx: C) => MaybePromise<HandlerOutput<M[K]>>
}

/** How a service is served. */
export interface ServeOptions {
  /**
   * Most milliseconds one call may take, whatever its caller would wait: 1 to 86,400,000; not of methods with streams.
   * Default 60,000.
   */
  readonly timeoutMs?: number | undefined
  /** Most milliseconds a call with a stream may take, to its end: 1 to 2^31-1. Default: as long as its caller wants it. */
  readonly streamTimeoutMs?: number | undefined
  /** Lets the most urgent calls go first, and turns away those that would wait in vain. Default: none. */
  readonly shedding?: ServerPolicies['shedding']
  /** Takes calls of the service on at a rate; with a `key`, of each tenant or caller. Default: none. */
  readonly rateLimit?: ServerPolicies['rateLimit']
  /** Finds out how many calls at a time the service can do, and refuses the others. Default: none. */
  readonly concurrencyLimit?: ServerPolicies['concurrencyLimit']
  /** Bounds how many calls of the service are under way at a time. Default: none. */
  readonly bulkhead?: ServerPolicies['bulkhead']
  /**
   * Does what has the same `idempotency-key` once, and answers repetitions with the result; not of methods with streams.
   * Default: none.
   */
  readonly idempotency?: ServerPolicies['idempotency']
  /** Injects faults, to see what they do. Default: none. */
  readonly chaos?: ServerPolicies['chaos']
  /** Edits the serving stack, {@link serverStack}, of every method. */
  readonly stack?: ((editor: StackEditor<ServerStackOptions>) => StackEditor<ServerStackOptions>) | undefined
}

/** A served method that can account for itself. */
export interface StackedMethod extends ServedMethod {
  readonly stack: FilterStack
}

/** What is served, and how. */
export interface ServeInit<M extends Methods, C> {
  readonly service: ServiceContract<M>
  readonly handlers: ServiceHandlers<M, C>
  readonly options: ServeOptions
}

type Handler<C> = (input: unknown, ctx: C) => unknown

interface ServeSettings extends ServerPolicies {
  readonly timeoutMs: number
  readonly streamTimeoutMs: number | undefined
  readonly stack: NonNullable<ServeOptions['stack']>
}

const spec: OptionsSpec<ServeSettings> = {
  options: {
    shedding: policyOption,
    rateLimit: policyOption,
    concurrencyLimit: policyOption,
    bulkhead: policyOption,
    idempotency: policyOption,
    chaos: policyOption,
    timeoutMs: durationOption(60_000, { min: 1, max: 86_400_000 }),
    streamTimeoutMs: optional(durationOption(0, { min: 1 })),
    stack: functionOption((editor) => editor),
  },
}

/**
 * Makes served methods of a service's handlers.
 *
 * @throws CONFIG_INVALID listing every missing and unknown handler and every wrong option
 */
export function servedMethods<M extends Methods, C>(
  init: ServeInit<M, C>,
  host: ServeHost<C>,
): readonly StackedMethod[] {
  const { service, options } = init
  const what = `serve(${service.name})`
  const { stack: edit, streamTimeoutMs, ...policies } = soundOptions(options, spec)
  const slots = sharedSlots(edit(editStack(serverStack)).slots, ofTheService, service.name)
  const methods = Object.entries(service.methods)
  const stackOf = ([method, contract]: (typeof methods)[number]): FilterStack => {
    const deps = { ...host, target: targetOf(service.name, method) }
    return isStreaming(contract)
      ? buildStack(streamSlots(slots), { ...policies, contract, timeoutMs: streamTimeoutMs }, deps)
      : buildStack(slots, { ...policies, contract }, deps)
  }
  checkTogether<unknown>([
    () => readOptions(what, options, spec),
    () => refuseOptions(handlerMistakes(what, service, init.handlers)),
    () => refuseOptions(uselessPolicies(what, service, { idempotency: policies.idempotency })),
    // The stacks of all methods are set alike, but for streams, which lack some: one finds all mistakes, and each once.
    ...[methods.find(([, contract]) => !isStreaming(contract)) ?? methods[0]!].map(
      (method) => () => checkWithin(what, () => stackOf(method)),
    ),
  ])
  const handlers = init.handlers as Readonly<Record<string, Handler<C>>>
  return methods.map(([method, contract]) => {
    const target = targetOf(service.name, method)
    const stack = stackOf([method, contract])
    const handle = handlers[method]!.bind(handlers)
    const own = { service: service.name, method, contract, stack }
    if (isStreaming(contract)) {
      const innermost = isStream(contract.output)
        ? handlingStreams({ handle, failureOf }, host)
        : handling(handle, host)
      const run = stack.around(innermost)
      return { ...own, dispatch: (incoming) => new ServedStreamCall(incoming, { target, contract, run }, host) }
    }
    const run = stack.around(handling(handle, host))
    const idempotent = contract.idempotent ?? false
    return { ...own, dispatch: (incoming) => new ServedCall(incoming, { target, idempotent, run }, host) }
  })
}

function handlerMistakes(what: string, service: ServiceContract, handlers: object): Issue[] {
  const methods = Object.keys(service.methods)
  const missing = methods
    .filter((method) => typeof handlerOf(handlers, method) !== 'function')
    .map((method) => ({ path: `${what}.${method}`, message: 'has no handler' }))
  // The fields of an instance are its own affair.
  const given = Object.getPrototypeOf(handlers) === Object.prototype ? Object.keys(handlers) : []
  const unknown = given
    .filter((method) => !Object.hasOwn(service.methods, method))
    .map((method) => ({ path: `${what}.${method}`, message: `is not a method; there are ${methods.join(', ')}` }))
  return [...missing, ...unknown]
}

/** A handler of an object or an instance, but nothing that every object has. */
function handlerOf(handlers: object, method: string): unknown {
  const found = (handlers as Readonly<Record<string, unknown>>)[method]
  return Object.hasOwn(handlers, method) || !(method in Object.prototype) ? found : undefined
}

/** The innermost service: the handler, its failures turned into what a caller may know. Hot path: no closure per call. */
function handling<C>(handler: Handler<C>, host: ServeHost<C>): Service {
  const handled: Continuation<Call> = {
    succeeded: (output) => output,
    failed(thrown, call) {
      throw failureOf(thrown, call, host.log)
    },
  }
  return (call) => {
    let output: unknown
    try {
      output = handler(call.payload, host.context(call))
    } catch (thrown) {
      return handled.failed(thrown, call)
    }
    return isPromiseLike(output) ? continueWith(output, handled, call) : output
  }
}

/** A failure a handler did not mean is told to the log, with its cause, and to the caller as INTERNAL, without. */
function failureOf(thrown: unknown, call: Call, log: Log): PosthasteError {
  if (!PosthasteError.is(thrown)) {
    log.error('a handler failed unexpectedly', { target: call.target, id: call.id, error: thrown })
    return new PosthasteError('INTERNAL', `'${call.target}' failed unexpectedly`)
  }
  if (!wasNotSent(thrown)) return thrown
  // It speaks of a call the handler made; to the handler's own caller it would say that this one never arrived.
  const { code, remedy, verdict, issues, retryAfterMs, cause, details } = thrown
  return new PosthasteError(code, messageOf(thrown), { remedy, verdict, issues, retryAfterMs, cause, details })
}

function messageOf({ code, message }: PosthasteError): string {
  const prefix = `[${code}] `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}
