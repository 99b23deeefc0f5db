import type { Methods, ServiceContract } from '@posthaste/contracts'
import type { Administration } from '../bus/administration/administration.ts'
import type { SubscriptionDescription, SubscriptionSnapshot } from '../bus/consuming/description.ts'
import type { Subscribing } from '../bus/consuming/subscribing.ts'
import type { Publishing } from '../bus/publishing/publishing.ts'
import type { Client } from '../rpc/client.ts'
import type { ClientOptions } from '../rpc/client-options.ts'
import type { MethodDescription, MethodSnapshot } from '../rpc/rpc.ts'
import type { ServeOptions, ServiceHandlers } from '../rpc/serve.ts'
import type { CallContext } from './call-context.ts'
import type { Health } from './health.ts'
import type { AppState } from './life-cycle.ts'

/** How an application is set up, for consoles and logs. */
export interface AppDescription {
  readonly name: string
  readonly methods: readonly MethodDescription[]
  readonly subscriptions: readonly SubscriptionDescription[]
}

/** Where an application stands at one moment, for live views and metrics. */
export interface AppSnapshot {
  readonly methods: readonly MethodSnapshot[]
  readonly subscriptions: readonly SubscriptionSnapshot[]
}

/**
 * An application: what it handles, serves, calls and publishes, over one engine and any number of transports. Without an
 * engine, what needs one is refused with CAPABILITY_UNSUPPORTED, handlers by `start`.
 *
 * What is wrong with one registration is thrown where it is made; what shows only when everything is known is reported
 * by `start`, all at once, before anything starts.
 */
export interface App extends Publishing, Subscribing, Administration {
  readonly name: string
  readonly state: AppState
  /** Where the transports listen; empty while they do not. */
  readonly urls: readonly string[]

  /**
   * Serves a service, to clients of this application and over its transports. Before `start` only.
   *
   * @throws CONFIG_INVALID listing every missing and unknown handler and every wrong option; CONTRACT_DUPLICATE when the
   *   service is served already; FAILED_PRECONDITION after `start`
   */
  serve<const M extends Methods>(
    service: ServiceContract<M>,
    handlers: ServiceHandlers<M, CallContext>,
    options?: ServeOptions,
  ): void
  /**
   * Makes a client of a service. Without a transport its calls go to what this application serves; inputs and outputs
   * pass by reference then, and must not be changed once they were passed. A transport belongs to the application from then
   * on, which closes it with itself, after the last handler has ended; several clients may share it.
   *
   * @throws CONFIG_INVALID listing every wrong option; CAPABILITY_UNSUPPORTED for methods with streams over a
   *   transport that carries none
   */
  client<const M extends Methods>(service: ServiceContract<M>, options?: ClientOptions<M>): Client<M>

  /**
   * Opens the engine, declares what is needed, begins to consume, then takes calls. Where a step fails, what was opened
   * is closed again. Idempotent; an application that failed to start or was closed does not start again. From here to the
   * end of `close` it keeps the process alive.
   *
   * @throws CONFIG_INVALID CAPABILITY_UNSUPPORTED TOPOLOGY_DRIFT with every reason at once; what the engine or a
   *   transport fails with
   */
  start(): Promise<void>
  /**
   * Ends well: transports take no new calls, what runs may end within the grace, streams included, deliveries that have not
   * begun are handed back, then the engine and the transports of clients are closed. Idempotent.
   *
   * @throws the first failure of a part, after all of them were closed
   */
  close(): Promise<void>
  /** How it is, at this moment. */
  health(): Health
  /** How it is set up: methods and subscriptions with their filters. */
  describe(): AppDescription
  /** Where its filters and subscriptions stand at this moment. Cheap enough to ask every second. */
  snapshot(): AppSnapshot
}
