import {
  type ChannelSpec,
  type CommandContract,
  type DataOut,
  type Engine,
  type EventContract,
  type EventPattern,
  type MaybePromise,
  type MessageContract,
  PosthasteError,
  type ReplyIn,
  type RequestContract,
  type Topology,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Bodies } from '../bodies/bodies.ts'
import { deadLetterChannel } from '../dead-letters/dead-letter.ts'
import { instanceGroup } from '../instance-group.ts'
import { overlap } from '../patterns/overlap.ts'
import { PatternSubscription } from '../patterns/pattern-subscription.ts'
import type { RecordComposer } from '../publishing/record.ts'
import { checkRequirements } from '../requirements.ts'
import type { Standing } from '../standing.ts'
import { type Channels, checkKind } from '../topology.ts'
import type { ErasedHandler } from './attempt.ts'
import type { BatchHandler, ErasedBatchHandler } from './batch-message.ts'
import type { MessageContext } from './context.ts'
import type { SubscriptionDescription, SubscriptionSnapshot } from './description.ts'
import {
  type BatchHandlerOptions,
  type BatchSubscribeOptions,
  commandGroup,
  type HandlerOptions,
  type HandlerSettings,
  type HandlerShape,
  readHandlerOptions,
  readSubscribeOptions,
  type SubscribeOptions,
} from './options.ts'
import type { SubscriptionStats } from './stats.ts'
import { Subscription, type SubscriptionInit } from './subscription.ts'

/**
 * Does the work of a message. What it throws, or rejects with, decides what follows: the error's verdict, or else another
 * attempt. A `PosthasteError` that is returned (`retryLater`, `reject`, `ignore`) counts like one that is thrown. Anything
 * else that is returned is the answer to a command that has a `reply`, and of no interest otherwise.
 */
export type MessageHandler<C extends MessageContract | EventPattern> = (
  data: DataOut<C>,
  context: MessageContext,
) => MaybePromise<HandlerAnswer<C>>

/** What a handler returns: an answer where the contract asks for one. */
export type HandlerAnswer<C> = C extends RequestContract ? ReplyIn<C> | PosthasteError : unknown

/** How messages are handled. */
export interface Subscribing {
  /**
   * Follows an event as a member of a group. After `start`, joins at once, in the background.
   *
   * Given a pattern (`events('shop.order.*', …)`), follows every event whose type matches, those that nobody has published
   * yet included, from their first message on; `context.type` tells which it is. Concurrency, prefetch, breaker and dead
   * letters are those of each event.
   *
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when the group has a handler here already
   */
  on<C extends EventContract | EventPattern>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void
  /** Handles a command. Otherwise like {@link Subscribing.on}. */
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
  /** Handles a command, with options. Otherwise like {@link Subscribing.on}. */
  handle<C extends CommandContract>(command: C, options: HandlerOptions, handler: MessageHandler<C>): void
  /**
   * Follows an event, or a pattern, in batches: of a key at most one message each, so that its order is kept over
   * failures, and those messages alone that fit the contract. Concurrency and the filters around the handler count batches.
   * Otherwise like {@link Subscribing.on}.
   */
  onBatch<C extends EventContract | EventPattern>(
    event: C,
    options: BatchSubscribeOptions,
    handler: BatchHandler<C>,
  ): void
  /**
   * Handles a command in batches. Otherwise like {@link Subscribing.onBatch}.
   * @throws CONTRACT_INVALID when the command has a `reply`, which batches do not give
   */
  handleBatch<C extends CommandContract>(command: C, options: BatchHandlerOptions, handler: BatchHandler<C>): void
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
  readonly #patterns: PatternSubscription[] = []

  constructor(init: SubscribingInit) {
    this.#init = init
  }

  on<C extends EventContract | EventPattern>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void {
    this.#follow(event, handler, { options, shape: 'single', method: 'on' })
  }

  onBatch<C extends EventContract | EventPattern>(
    event: C,
    options: BatchSubscribeOptions,
    handler: BatchHandler<C>,
  ): void {
    this.#follow(event, handler, { options, shape: 'batch', method: 'onBatch' })
  }

  handle<C extends CommandContract>(command: C, ...rest: HandleArguments<C>): void {
    checkKind(command, 'command', 'handle')
    const [options, handler] = rest.length === 1 ? [{}, rest[0]] : rest
    this.#register(command, readHandlerOptions(command.type, options, 'single'), handler)
  }

  handleBatch<C extends CommandContract>(command: C, options: BatchHandlerOptions, handler: BatchHandler<C>): void {
    checkKind(command, 'command', 'handleBatch')
    if (command.reply !== undefined) {
      throw new PosthasteError(
        'CONTRACT_INVALID',
        `${command.type} has a reply, which a handler of batches cannot give`,
        {
          remedy: 'Handle it message by message, or declare a command without a reply.',
        },
      )
    }
    this.#register(command, readHandlerOptions(command.type, options, 'batch'), handler)
  }

  /** Declares what is needed and begins to consume; what was begun is ended again where something fails. */
  async start(): Promise<void> {
    try {
      const begun = [...this.#subscriptions]
      await this.#declare(begun)
      await Promise.all(begun.map((subscription) => subscription.start()))
      const patterns = [...this.#patterns]
      await Promise.all(patterns.map((pattern) => pattern.start()))
      // Whatever was registered meanwhile.
      for (const later of this.#subscriptions.slice(begun.length)) this.#join(later)
      for (const later of this.#patterns.slice(patterns.length)) void later.startLater()
    } catch (thrown) {
      await this.drain(0)
      throw thrown
    }
  }

  async drain(graceMs: number): Promise<void> {
    for (const pattern of this.#patterns) pattern.stop()
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain(graceMs)))
  }

  /** The subscription of a group here; undefined where there is none. */
  find({ type }: MessageContract, group: string): Subscription | undefined {
    return this.#subscriptions.find(({ contract, settings }) => contract.type === type && settings.group === group)
  }

  /** Whoever requested a command has given up: its handler here, if it has one, is told, and it is not tried again. */
  abandon(command: CommandContract, id: string, reason: PosthasteError): void {
    this.find(command, commandGroup)?.abandon(id, reason)
  }

  stats(): readonly SubscriptionStats[] {
    return this.#subscriptions.map((subscription) => subscription.stats())
  }

  describe(): readonly SubscriptionDescription[] {
    return this.#subscriptions.map((subscription) => subscription.describe())
  }

  snapshot(): readonly SubscriptionSnapshot[] {
    return this.#subscriptions.map((subscription) => subscription.snapshot())
  }

  #follow(event: EventContract | EventPattern, handler: AnyHandler, how: Following): void {
    const { options, shape, method } = how
    if (event?.kind === 'pattern') {
      this.#registerPattern(event, readSubscribeOptions(event.pattern, options, shape), handler)
      return
    }
    checkKind(event, 'event', method)
    this.#register(event, readSubscribeOptions(event.type, options, shape), handler)
  }

  #register(contract: MessageContract, settings: HandlerSettings, handler: AnyHandler): void {
    const { standing, channels, engine } = this.#init
    checkHandler(contract.type, handler)
    standing.checkRegistering()
    channels.register(contract)
    checkNames(contract.type, settings)
    this.#refuseTwice(contract.type, settings.group)
    const subscription: Subscription = this.#subscription(contract, settings, {
      handler,
      declare: () => this.#declare([subscription]),
    })
    if (standing.state === 'running') checkRequirements([subscription], engine)
    this.#subscriptions.push(subscription)
    if (standing.state === 'running') this.#join(subscription)
  }

  #registerPattern(pattern: EventPattern, settings: HandlerSettings, handler: AnyHandler): void {
    const { standing, engine, deps } = this.#init
    const name = pattern.pattern
    checkHandler(name, handler)
    standing.checkRegistering()
    this.#refuseTwice(name, settings.group)
    const follow = (contract: EventContract): Subscription => {
      const declare = (): Promise<void> => this.#declareFollowed(subscription)
      const subscription: Subscription = this.#subscription(contract, settings, { handler, declare })
      return subscription
    }
    // Mistakes of the options show now, not when the first event comes.
    const { engineGroup } = follow({ kind: 'event', type: name, data: pattern.data })
    const subscription = new PatternSubscription({
      pattern,
      settings,
      engineGroup,
      engine,
      follow: (contract) => {
        const followed = follow(contract)
        this.#subscriptions.push(followed)
        return followed
      },
      deps: { ...deps, target: `${name}@${settings.group}` },
    })
    if (standing.state === 'running') checkRequirements([{ contract: pattern, settings }], engine)
    this.#patterns.push(subscription)
    if (standing.state === 'running') void subscription.startLater()
  }

  /** Two handlers of one group would share what each is to see. */
  #refuseTwice(name: string, group: string): void {
    const taken = [
      ...this.#subscriptions.map(({ contract, settings }) => ({ name: contract.type, group: settings.group })),
      ...this.#patterns.map((other) => ({ name: other.pattern.pattern, group: other.group })),
    ]
    const other = taken.find((one) => one.group === group && overlap(one.name, name))
    if (other === undefined) return
    const already = other.name === name ? '' : `, that of ${other.name}`
    throw new PosthasteError('CONTRACT_DUPLICATE', `${name}@${group} has a handler already${already}`)
  }

  #subscription(
    contract: MessageContract,
    settings: HandlerSettings,
    how: Pick<SubscriptionInit, 'handler' | 'declare'>,
  ): Subscription {
    const { engine, bodies, composer, channels, instance, deps } = this.#init
    const { group, broadcast } = settings
    return new Subscription({
      ...how,
      contract,
      settings,
      engine,
      bodies,
      engineGroup: broadcast ? instanceGroup(group, instance) : group,
      member: instance,
      scope: { composer, admit: (other) => channels.admit(other) },
      deps: { ...deps, target: `${contract.type}@${group}` },
    })
  }

  #join(subscription: Subscription): void {
    void subscription.startLater()
  }

  async #declare(subscriptions: readonly Subscription[]): Promise<void> {
    const { engine, channels } = this.#init
    checkRequirements(subscriptions, engine)
    await channels.declare(
      subscriptions.map(({ contract }) => contract),
      placesOf(subscriptions),
    )
  }

  /** The channel is somebody else's, and so are its settings. */
  async #declareFollowed(subscription: Subscription): Promise<void> {
    await this.#init.channels.declare([], placesOf([subscription]))
  }
}

/** A handler whose data type is known to its contract alone. */
type AnyHandler = ErasedHandler | ErasedBatchHandler

/** How an event is followed. */
interface Following {
  readonly options: unknown
  readonly shape: HandlerShape
  /** For errors. */
  readonly method: string
}

/** The groups, and where their dead letters stand. */
function placesOf(subscriptions: readonly Subscription[]): Topology {
  return {
    groups: subscriptions.map(({ contract, engineGroup, settings: { from, lifetime } }) => {
      return { channel: contract.type, group: engineGroup, from, ...(lifetime === 'temporary' && { lifetime }) }
    }),
    channels: subscriptions.flatMap(({ contract, settings }) => deadLetterChannels(contract.type, settings)),
  }
}

/** Where a group's dead letters stand, those included that rules put elsewhere. */
function deadLetterChannels(channel: string, { group, errors }: HandlerSettings): ChannelSpec[] {
  const targets = new Set(errors.map(({ deadLetterTo }) => deadLetterTo))
  return [...targets.add(undefined)].map((target) => deadLetterChannel(channel, group, target))
}

const nameLengthMax = 240

/** @throws CONFIG_INVALID when a name that is made of the contract's and the group's is too long for engines */
function checkNames(type: string, settings: HandlerSettings): void {
  const long = deadLetterChannels(type, settings).find(({ name }) => name.length > nameLengthMax)
  if (long === undefined) return
  const message = `${type}@${settings.group}: the name of its dead letters, ${long.name}, is longer than ${nameLengthMax}`
  throw new PosthasteError('CONFIG_INVALID', message, { remedy: 'Shorten the type, the group or deadLetterTo.' })
}

function checkHandler(name: string, handler: unknown): void {
  if (typeof handler === 'function') return
  throw new PosthasteError('CONFIG_INVALID', `${name}: the handler must be a function`)
}

/** A handler of a command, with options or without. */
export type HandleArguments<C extends CommandContract> =
  | readonly [handler: MessageHandler<C>]
  | readonly [options: HandlerOptions, handler: MessageHandler<C>]
