import {
  type CommandContract,
  type DataOut,
  type Engine,
  type EventContract,
  type MaybePromise,
  type MessageContract,
  PosthasteError,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Bodies } from '../bodies/bodies.ts'
import { deadLetterChannel } from '../dead-letters/dead-letter.ts'
import { instanceGroup } from '../instance-group.ts'
import type { RecordComposer } from '../publishing/record.ts'
import { checkRequirements } from '../requirements.ts'
import type { Standing } from '../standing.ts'
import { type Channels, checkKind } from '../topology.ts'
import type { MessageContext } from './context.ts'
import type { ErasedHandler } from './handling.ts'
import {
  type HandlerOptions,
  type HandlerSettings,
  readHandlerOptions,
  readSubscribeOptions,
  type SubscribeOptions,
} from './options.ts'
import type { SubscriptionStats } from './stats.ts'
import { Subscription, type SubscriptionDescription } from './subscription.ts'

/**
 * Does the work of a message. What it throws, or rejects with, decides what follows: the error's verdict, or else another
 * attempt. A `PosthasteError` that is returned (`retryLater`, `reject`, `ignore`) counts like one that is thrown.
 */
export type MessageHandler<C extends MessageContract> = (
  data: DataOut<C>,
  context: MessageContext,
) => MaybePromise<unknown>

/** How messages are handled. */
export interface Subscribing {
  /**
   * Follows an event as a member of a group. After `start`, joins at once, in the background.
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when the group has a handler here already
   */
  on<C extends EventContract>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void
  /** Handles a command. Otherwise like {@link Subscribing.on}. */
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
  /** Handles a command, with options. Otherwise like {@link Subscribing.on}. */
  handle<C extends CommandContract>(command: C, options: HandlerOptions, handler: MessageHandler<C>): void
}

/** What subscriptions are made of. */
export interface SubscribingInit {
  readonly engine: Engine
  readonly channels: Channels
  readonly composer: RecordComposer
  readonly bodies: Bodies
  readonly standing: Standing
  /** Names this process among those of the application. */
  readonly instance: string
  readonly deps: FilterDeps
}

/** The consuming half of a bus: all its subscriptions. */
export class BusSubscribing implements Subscribing {
  readonly #init: SubscribingInit
  readonly #subscriptions: Subscription[] = []

  constructor(init: SubscribingInit) {
    this.#init = init
  }

  on<C extends EventContract>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void {
    checkKind(event, 'event', 'on')
    this.#register(event, readSubscribeOptions(event.type, options), handler)
  }

  handle<C extends CommandContract>(command: C, ...rest: HandleArguments<C>): void {
    checkKind(command, 'command', 'handle')
    const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest
    this.#register(command, readHandlerOptions(command.type, options), handler)
  }

  /** Declares what is needed and begins to consume; what was begun is ended again where something fails. */
  async start(): Promise<void> {
    try {
      const begun = [...this.#subscriptions]
      await this.#declare(begun)
      await Promise.all(begun.map((subscription) => subscription.start()))
      // Whatever was registered meanwhile.
      for (const later of this.#subscriptions.slice(begun.length)) this.#join(later)
    } catch (thrown) {
      await this.drain(0)
      throw thrown
    }
  }

  async drain(graceMs: number): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain(graceMs)))
  }

  /** The subscription of a group here; undefined where there is none. */
  find({ type }: MessageContract, group: string): Subscription | undefined {
    return this.#subscriptions.find(({ contract, settings }) => contract.type === type && settings.group === group)
  }

  stats(): readonly SubscriptionStats[] {
    return this.#subscriptions.map((subscription) => subscription.stats())
  }

  describe(): readonly SubscriptionDescription[] {
    return this.#subscriptions.map((subscription) => subscription.describe())
  }

  #register(contract: MessageContract, settings: HandlerSettings, handler: ErasedHandler): void {
    if (typeof handler !== 'function')
      throw new PosthasteError('CONFIG_INVALID', `${contract.type}: the handler must be a function`)
    const { standing, channels, engine, composer, bodies, instance, deps } = this.#init
    standing.checkRegistering()
    channels.register(contract)
    const { group } = settings
    const target = `${contract.type}@${group}`
    if (this.find(contract, group) !== undefined) {
      throw new PosthasteError('CONTRACT_DUPLICATE', `${target} has a handler already`)
    }
    const subscription: Subscription = new Subscription({
      contract,
      settings,
      handler,
      engine,
      bodies,
      engineGroup: settings.broadcast ? instanceGroup(group, instance) : group,
      member: instance,
      declare: () => this.#declare([subscription]),
      scope: { composer, admit: (other) => channels.admit(other) },
      deps: { ...deps, target },
    })
    if (standing.state === 'running') checkRequirements([subscription], engine)
    this.#subscriptions.push(subscription)
    if (standing.state === 'running') this.#join(subscription)
  }

  #join(subscription: Subscription): void {
    void subscription.startLater()
  }

  async #declare(subscriptions: readonly Subscription[]): Promise<void> {
    const { engine, channels } = this.#init
    checkRequirements(subscriptions, engine)
    const groups = subscriptions.map(({ contract, engineGroup, settings: { from, lifetime } }) => {
      return { channel: contract.type, group: engineGroup, from, ...(lifetime === 'temporary' && { lifetime }) }
    })
    await channels.declare(
      subscriptions.map(({ contract }) => contract),
      {
        groups,
        channels: subscriptions.map(({ contract, settings: { group } }) => deadLetterChannel(contract.type, group)),
      },
    )
  }
}

/** A handler of a command, with options or without. */
export type HandleArguments<C extends CommandContract> =
  | readonly [handler: MessageHandler<C>]
  | readonly [options: HandlerOptions, handler: MessageHandler<C>]
