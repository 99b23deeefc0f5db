import {
  type Call,
  type ClientTransport,
  type Clock,
  type FilterDescription,
  type FilterEvent,
  type FilterSnapshot,
  type Log,
  type Methods,
  PosthasteError,
  type ServedMethod,
  type ServiceContract,
} from '@posthaste/contracts'
import { messageIds } from '../pipeline/ids.ts'
import { type FilterStack, filterDeps } from '../pipeline/stack.ts'
import type { TimerWheel } from '../pipeline/timer-wheel.ts'
import { type Client, serviceClient } from './client.ts'
import type { ClientOptions } from './client-options.ts'
import { RequestContext, type ServeContext } from './context.ts'
import { localTransport } from './local-transport.ts'
import { type ServeOptions, type ServiceHandlers, type StackedMethod, servedMethods } from './serve.ts'
import { drainStreams, type OpenStreams } from './streams/open-streams.ts'
import { targetOf } from './target.ts'

/** What calls need of the application around them; the machine's own where it is left out. */
export interface RpcHost {
  readonly clock?: Clock | undefined
  readonly log?: Log | undefined
  /** Share one wheel per application. */
  readonly timers?: TimerWheel | undefined
  /** From 0 up to but not 1. */
  readonly random?: (() => number) | undefined
  /** Told what filters do that is out of the ordinary. */
  readonly onEvent?: ((event: FilterEvent) => void) | undefined
  /** Makes request ids. */
  readonly newId?: (() => string) | undefined
  /** Why no calls can be made just now; undefined while they can. */
  readonly refusal?: (() => PosthasteError | undefined) | undefined
}

/** A method, and what stands around it. */
export interface MethodDescription {
  readonly side: 'server' | 'client'
  /** `shop.Inventory/checkStock` */
  readonly target: string
  /** Outermost first, each with the reason for its place as `why`. */
  readonly filters: readonly FilterDescription[]
}

/** A method, and where the filters around it stand. */
export interface MethodSnapshot {
  readonly side: 'server' | 'client'
  readonly target: string
  /** Outermost first; those that have a state. */
  readonly filters: readonly FilterSnapshot[]
}

/** Both sides of calls within one application. */
export interface Rpc<C = ServeContext> {
  /**
   * Serves a service: to clients in this process from here on, and to others through the transports that `served` is
   * handed to.
   *
   * @throws CONFIG_INVALID listing every missing and unknown handler and every wrong option; CONTRACT_DUPLICATE when the
   *   service is served already
   */
  serve<const M extends Methods>(
    service: ServiceContract<M>,
    handlers: ServiceHandlers<M, C>,
    options?: ServeOptions,
  ): readonly ServedMethod[]
  /**
   * Makes a client. May come before the service is served; inputs and outputs of calls within the process pass by
   * reference, and must not be changed once they were passed.
   *
   * A transport that is given here belongs to this from then on, and is closed with it.
   *
   * @throws CONFIG_INVALID listing every wrong option; CAPABILITY_UNSUPPORTED for methods with streams over a transport that
   *   carries none
   */
  client<const M extends Methods>(service: ServiceContract<M>, options?: ClientOptions<M>): Client<M>
  /** Every method that is served, for transports. */
  readonly served: readonly ServedMethod[]
  /** Every method that is served or called, with its filters. */
  describe(): readonly MethodDescription[]
  /** Where the filters of every method stand at this moment. */
  snapshot(): readonly MethodSnapshot[]
  /** Waits until no call with a stream is served any more, for `graceMs` at most, and cancels those that are then left. */
  drain(graceMs: number): Promise<void>
  /** Cancels the calls with streams that are still served, and closes the transports of all clients. Idempotent. */
  close(): Promise<void>
}

/** Sets calls up. Handlers are given a {@link ServeContext}. */
export function createRpc(host?: RpcHost): Rpc
/** Sets calls up. Handlers are given what `context` makes. */
export function createRpc<C>(host: RpcHost & { readonly context: (call: Call) => C }): Rpc<C>
export function createRpc(host: RpcHost & { readonly context?: (call: Call) => ServeContext } = {}): Rpc {
  return new Calls(host)
}

class Calls implements Rpc {
  readonly #served = new Map<string, StackedMethod>()
  readonly #called: CalledTarget[] = []
  readonly #open: OpenStreams = new Set()
  readonly #transports = new Set<ClientTransport>()
  readonly #host

  constructor(host: RpcHost & { readonly context?: (call: Call) => ServeContext }) {
    const { clock, log, timers, random, onEvent } = host
    const deps = filterDeps({
      ...(clock && { clock }),
      ...(log && { log }),
      ...(timers && { timers }),
      ...(random && { random }),
      onEvent,
    })
    this.#host = {
      ...deps,
      newId: host.newId ?? messageIds(deps.clock),
      context: host.context ?? ((call: Call) => new RequestContext(call, deps.clock)),
      refusal: host.refusal ?? (() => undefined),
      open: this.#open,
      local: localTransport((target) => this.#served.get(target)),
    }
  }

  get served(): readonly ServedMethod[] {
    return [...this.#served.values()]
  }

  serve<const M extends Methods>(
    service: ServiceContract<M>,
    handlers: ServiceHandlers<M>,
    options: ServeOptions = {},
  ): readonly ServedMethod[] {
    const taken = [...this.#served.values()].some((method) => method.service === service.name)
    if (taken) throw new PosthasteError('CONTRACT_DUPLICATE', `'${service.name}' is served already`)
    const methods = servedMethods({ service, handlers, options }, this.#host)
    for (const method of methods) this.#served.set(targetOf(method.service, method.method), method)
    return methods
  }

  client<const M extends Methods>(service: ServiceContract<M>, options: ClientOptions<M> = {}): Client<M> {
    const { client, stacks } = serviceClient(service, options, this.#host)
    for (const [target, stack] of stacks) this.#called.push({ target, stack })
    if (options.transport !== undefined) this.#take(options.transport)
    return client
  }

  async drain(graceMs: number): Promise<void> {
    await drainStreams(this.#open, graceMs, this.#host.clock)
  }

  async close(): Promise<void> {
    await this.drain(0)
    const transports = [...this.#transports]
    this.#transports.clear()
    const closed = await Promise.allSettled(transports.map((transport) => transport.close()))
    const failure = closed.find((result) => result.status === 'rejected')
    if (failure !== undefined) throw failure.reason
  }

  describe(): readonly MethodDescription[] {
    return this.#each((stack) => stack.describe())
  }

  snapshot(): readonly MethodSnapshot[] {
    return this.#each((stack) => stack.snapshot())
  }

  #take(transport: ClientTransport): void {
    if (this.#transports.has(transport)) return
    this.#transports.add(transport)
    const { clock, log, random } = this.#host
    transport.open?.({ clock, log, random })
  }

  #each<T>(look: (stack: FilterStack) => T): { side: 'server' | 'client'; target: string; filters: T }[] {
    const served = [...this.#served].map(([target, { stack }]) => ({
      side: 'server' as const,
      target,
      filters: look(stack),
    }))
    const called = this.#called.map(({ target, stack }) => ({
      side: 'client' as const,
      target,
      filters: look(stack),
    }))
    return [...served, ...called]
  }
}

interface CalledTarget {
  readonly target: string
  readonly stack: FilterStack
}
