import type {
  CommandContract,
  DataIn,
  EventContract,
  MessageContract,
  Methods,
  ServiceContract,
} from '@posthaste/contracts'
import type { MessageHandler, PublishResult } from '../bus/bus.ts'
import type { Receipt } from '../bus/context.ts'
import type { DeadLetters } from '../bus/dead-letters.ts'
import type { HandlerOptions, SubscribeOptions } from '../bus/options.ts'
import type { PublishAllOptions, PublishOptions, ScheduleOptions } from '../bus/publish-options.ts'
import type { SubscriptionDescription } from '../bus/subscription.ts'
import type { Client } from '../rpc/client.ts'
import type { ClientOptions } from '../rpc/client-options.ts'
import type { MethodDescription } from '../rpc/rpc.ts'
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

/**
 * An application: what it handles, serves, calls and publishes, over one engine and any number of transports.
 *
 * What is wrong with one registration is thrown where it is made; what shows only when everything is known is reported
 * by `start`, all at once, before anything starts.
 */
export interface App {
  readonly name: string
  readonly state: AppState
  /** Where the transports listen; empty while they do not. */
  readonly urls: readonly string[]

  /**
   * Follows an event as a member of a group. After `start`, joins at once, in the background.
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when the group has a handler here already
   */
  on<C extends EventContract>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void
  /** Handles a command. Otherwise like {@link App.on}. */
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
  /** Handles a command, with options. Otherwise like {@link App.on}. */
  handle<C extends CommandContract>(command: C, options: HandlerOptions, handler: MessageHandler<C>): void
  /**
   * Serves a service, to clients of this application and over its transports. Before `start` only.
   *
   * @throws CONFIG_INVALID listing every missing and unknown handler and every wrong option; CONTRACT_DUPLICATE when the
   *   service is served already; CAPABILITY_UNSUPPORTED for streaming methods; FAILED_PRECONDITION after `start`
   */
  serve<const M extends Methods>(
    service: ServiceContract<M>,
    handlers: ServiceHandlers<M, CallContext>,
    options?: ServeOptions,
  ): void
  /**
   * Makes a client of a service. Without a transport its calls go to what this application serves; inputs and outputs
   * pass by reference then, and must not be changed once they were passed.
   *
   * @throws CONFIG_INVALID listing every wrong option; CAPABILITY_UNSUPPORTED for streaming methods
   */
  client<const M extends Methods>(service: ServiceContract<M>, options?: ClientOptions<M>): Client<M>

  /**
   * Publishes an event. Resolves when the engine has confirmed it, as durably as it can.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID CAPABILITY_UNSUPPORTED before anything leaves; what the engine
   *   refuses it with; FAILED_PRECONDITION before `start`; ENGINE_CLOSED after `close`
   */
  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** Sends a command. Otherwise like {@link App.publish}. */
  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** Publishes many. One that fails stops no other: there is a result for each, in order. */
  publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]>
  /** Publishes a message that is handled later. Otherwise like {@link App.publish}. */
  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt>
  /**
   * Takes a scheduled message back.
   * @returns whether it was still waiting
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot
   */
  cancel(contract: MessageContract, id: string): Promise<boolean>
  /**
   * What a group could not handle. A command has one group, which need not be named.
   * @throws CAPABILITY_UNSUPPORTED without an engine
   */
  deadLetters(contract: EventContract, of: { readonly group: string }): DeadLetters
  /** What could not be handled of a command. */
  deadLetters(contract: CommandContract, of?: { readonly group: string }): DeadLetters

  /**
   * Opens the engine, declares what is needed, begins to consume, then takes calls. Where a step fails, what was opened
   * is closed again. Idempotent; an application that failed to start or was closed does not start again.
   *
   * @throws CONFIG_INVALID CAPABILITY_UNSUPPORTED TOPOLOGY_DRIFT with every reason at once; what the engine or a
   *   transport fails with
   */
  start(): Promise<void>
  /**
   * Ends well: transports take no new calls, what runs may end within the grace, deliveries that have not begun are
   * handed back, then the engine is closed. Idempotent.
   *
   * @throws the first failure of a part, after all of them were closed
   */
  close(): Promise<void>
  /** How it is, at this moment. */
  health(): Health
  /** How it is set up: methods and subscriptions with their filters. */
  describe(): AppDescription
}
