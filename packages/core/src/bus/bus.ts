import {
  type Clock,
  type CommandContract,
  type DataIn,
  type DataOut,
  type Engine,
  type EventContract,
  type Log,
  type MaybePromise,
  type MessageContract,
  PosthasteError,
} from '@posthaste/contracts'
import { systemRandom } from '../pipeline/clock.ts'
import { messageIds, type RandomBytes } from '../pipeline/ids.ts'
import { isPromiseLike } from '../pipeline/maybe-promise.ts'
import { durationOption, type OptionsSpec, readOptions } from '../pipeline/options.ts'
import { buildStack, type FilterDeps } from '../pipeline/stack.ts'
import { type TimerWheel, timerWheel } from '../pipeline/timer-wheel.ts'
import type { MessageContext, Receipt } from './context.ts'
import { deadLetterChannel } from './dead-letter.ts'
import { type DeadLetters, deadLettersOf } from './dead-letters.ts'
import type { ErasedHandler } from './handling.ts'
import {
  type HandlerOptions,
  type HandlerSettings,
  readDeadLetterGroup,
  readHandlerOptions,
  readSubscribeOptions,
  type SubscribeOptions,
} from './options.ts'
import {
  checkId,
  checkPublishAllOptions,
  checkScheduleOptions,
  type PublishAllOptions,
  type PublishOptions,
  type ScheduleOptions,
} from './publish-options.ts'
import { Publisher } from './publisher.ts'
import { recordComposer } from './record.ts'
import { checkRequirements } from './requirements.ts'
import { type PublisherOptions, publisherStack } from './stacks.ts'
import type { SubscriptionStats } from './stats.ts'
import { Subscription, type SubscriptionDescription } from './subscription.ts'
import { Channels, checkContract } from './topology.ts'

/** What a bus is made of. The engine is opened before `start` and closed after `close`, by whoever brings it. */
export interface BusOptions {
  /** The application's name: the CloudEvents `source` of what it publishes. */
  readonly name: string
  readonly engine: Engine
  readonly clock: Clock
  readonly log: Log
  /** Names this process among those of the application. */
  readonly instance: string
  /** For jitter, from 0 up to but not 1. Default: the machine's. */
  readonly random?: (() => number) | undefined
  /** For ids. Default: Web Crypto's. */
  readonly randomBytes?: RandomBytes | undefined
  /** Share one per application. Default: one of the bus's own. */
  readonly timers?: TimerWheel | undefined
  /** What stands around publishing. Default: nothing. */
  readonly publisher?: PublisherOptions | undefined
}

/**
 * Does the work of a message. What it throws, or rejects with, decides what follows: the error's verdict, or else another
 * attempt. A `PosthasteError` that is returned (`retryLater`, `reject`, `ignore`) counts like one that is thrown.
 */
export type MessageHandler<C extends MessageContract> = (
  data: DataOut<C>,
  context: MessageContext,
) => MaybePromise<unknown>

/** How one of many messages went. */
export type PublishResult =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly error: PosthasteError }

/** How much time an end may take. */
export interface CloseOptions {
  /** How long running handlers may go on, in milliseconds, 0 to 2^31-1. Default: 10,000. */
  readonly graceMs?: number | undefined
}

/** The messaging half: publishes messages of contracts, and hands them to handlers with the guarantees of the core. */
export interface Bus {
  /**
   * Follows an event as a member of a group. After `start`, joins at once, in the background.
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when the group has a handler here already
   */
  on<C extends EventContract>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void
  /** Handles a command. Otherwise like {@link Bus.on}. */
  handle<C extends CommandContract>(command: C, handler: MessageHandler<C>): void
  handle<C extends CommandContract>(command: C, options: HandlerOptions, handler: MessageHandler<C>): void
  /**
   * Publishes an event. Resolves when the engine has confirmed it.
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID CAPABILITY_UNSUPPORTED before anything leaves; what the engine
   *   refuses it with; FAILED_PRECONDITION before `start`; ENGINE_CLOSED after `close`
   */
  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** Sends a command. Otherwise like {@link Bus.publish}. */
  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /**
   * Publishes many. One that fails stops no other: there is a result for each, in order.
   * @throws CONTRACT_INVALID CONFIG_INVALID INVALID_ARGUMENT when what is wrong is wrong for all of them
   */
  publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]>
  /** Publishes a message that is handled later. Otherwise like {@link Bus.publish}. */
  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt>
  /**
   * Takes a scheduled message back.
   * @returns whether it was still waiting
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot; CONTRACT_INVALID INVALID_ARGUMENT
   */
  cancel(contract: MessageContract, id: string): Promise<boolean>
  /**
   * What a group could not handle. A command has one group, which need not be named. The group need not have a handler
   * here; one that nobody has ever consumed as has no dead letters, and looking for them leaves nothing behind.
   * @throws CONFIG_INVALID when an event's group is not named, or is no name of a group; CONTRACT_INVALID
   */
  deadLetters(contract: EventContract, of: { readonly group: string }): DeadLetters
  deadLetters(contract: CommandContract, of?: { readonly group: string }): DeadLetters
  /**
   * Declares what is needed and begins to consume.
   * @throws CAPABILITY_UNSUPPORTED TOPOLOGY_DRIFT with every reason at once; what the engine fails with
   */
  start(): Promise<void>
  /**
   * Takes no new work, hands back what has not begun, lets handlers end within the grace, then cancels them and hands
   * their messages back. Nothing is dead-lettered by it. Idempotent.
   * @throws CONFIG_INVALID, at once, when an option is wrong
   */
  close(options?: CloseOptions): Promise<void>
  /** What each subscription has done so far. */
  stats(): readonly SubscriptionStats[]
  /** How each subscription is set. */
  describe(): readonly SubscriptionDescription[]
}

/**
 * Makes a bus over an engine.
 * @throws CONFIG_INVALID when options of the publisher are wrong
 */
export function createBus(options: BusOptions): Bus {
  return new EngineBus(options)
}

type State =
  | { readonly kind: 'created' | 'starting' | 'running' }
  | { readonly kind: 'closing' | 'closed'; readonly end: Promise<void> }

const closeSpec: OptionsSpec<{ readonly graceMs: number }> = { options: { graceMs: durationOption(10_000) } }

class EngineBus implements Bus {
  readonly #options: BusOptions
  readonly #deps: FilterDeps
  readonly #channels: Channels
  readonly #composer: ReturnType<typeof recordComposer>
  readonly #publisher: Publisher
  readonly #subscriptions: Subscription[] = []
  #state: State = { kind: 'created' }

  constructor(options: BusOptions) {
    const { name, engine, clock, log, random = systemRandom, timers = timerWheel(clock, log) } = options
    this.#options = options
    this.#deps = { clock, log, random, timers, target: name }
    this.#channels = new Channels(engine)
    const newId = messageIds(clock, options.randomBytes)
    this.#composer = recordComposer({ source: `/${encodeURIComponent(name)}`, clock, newId, engine })
    this.#publisher = new Publisher(engine, buildStack(publisherStack, options.publisher ?? {}, this.#deps))
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

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publish(event, { data, options, kind: 'event' })
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publish(command, { data, options, kind: 'command' })
  }

  async publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]> {
    this.#checkOpen()
    // Mistakes of the options are those of every message: told once.
    if (options !== undefined) checkPublishAllOptions(options)
    checkContract(contract)
    if (!Array.isArray(data))
      throw new PosthasteError('INVALID_ARGUMENT', `${contract.type}: publishAll takes an array`)
    const kind = contract.kind
    const receipts = data.map((one) => this.#publish(contract, { data: one, options, kind }).then(accepted, refused))
    return Promise.all(receipts)
  }

  async schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    checkContract(contract)
    checkScheduleOptions(options)
    return this.#publish(contract, { data, options, kind: contract.kind })
  }

  async cancel(contract: MessageContract, id: string): Promise<boolean> {
    this.#checkOpen()
    checkContract(contract)
    checkId(id)
    const { scheduling, name } = this.#options.engine
    if (scheduling === undefined) {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${name} cannot take back what is scheduled`)
    }
    await this.#channels.admit(contract)
    return scheduling.cancel(contract.type, id)
  }

  deadLetters(contract: MessageContract, of?: { readonly group: string }): DeadLetters {
    checkContract(contract)
    const group = readDeadLetterGroup(contract, of)
    const channel = deadLetterChannel(contract.type, group)
    const { engine, clock } = this.#options
    // A mistyped group must not leave a channel behind, so only those of this bus are declared.
    const declared = async (): Promise<void> => {
      if (this.#consumes(contract, group)) await this.#channels.declare([contract], { channels: [channel], groups: [] })
    }
    return deadLettersOf({ contract, group, engine, declared, nowMs: () => clock.nowMs() })
  }

  async start(): Promise<void> {
    if (this.#state.kind !== 'created') {
      throw new PosthasteError('FAILED_PRECONDITION', `the bus is ${this.#state.kind} and cannot be started`)
    }
    this.#state = { kind: 'starting' }
    try {
      const begun = [...this.#subscriptions]
      await this.#declare(begun)
      await Promise.all(begun.map((subscription) => subscription.start()))
      // Whatever was registered meanwhile.
      for (const later of this.#subscriptions.slice(begun.length)) this.#join(later)
    } catch (thrown) {
      await Promise.all(this.#subscriptions.map((subscription) => subscription.drain(0)))
      throw thrown
    }
    if (this.#state.kind === 'starting') this.#state = { kind: 'running' }
  }

  close(given: CloseOptions = {}): Promise<void> {
    if (this.#state.kind === 'closing' || this.#state.kind === 'closed') return this.#state.end
    const { graceMs } = readOptions('close', given, closeSpec)
    const end = this.#close(graceMs)
    this.#state = { kind: 'closing', end }
    return end
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
    this.#checkOpen('created')
    this.#channels.register(contract)
    const { group } = settings
    const target = `${contract.type}@${group}`
    if (this.#consumes(contract, group)) {
      throw new PosthasteError('CONTRACT_DUPLICATE', `${target} has a handler already`)
    }
    const subscription = new Subscription({
      contract,
      settings,
      handler,
      engine: this.#options.engine,
      member: this.#options.instance,
      scope: { composer: this.#composer, admit: (other) => this.#channels.admit(other) },
      deps: { ...this.#deps, target },
    })
    if (this.#state.kind === 'running') checkRequirements([subscription], this.#options.engine)
    this.#subscriptions.push(subscription)
    if (this.#state.kind === 'running') this.#join(subscription)
  }

  #consumes({ type }: MessageContract, group: string): boolean {
    return this.#subscriptions.some(({ contract, settings }) => contract.type === type && settings.group === group)
  }

  #join(subscription: Subscription): void {
    subscription.startWhen(() => this.#declare([subscription]))
  }

  async #declare(subscriptions: readonly Subscription[]): Promise<void> {
    checkRequirements(subscriptions, this.#options.engine)
    const places = subscriptions.map(({ contract, settings: { group, from } }) => ({
      channel: contract.type,
      group,
      from,
    }))
    await this.#channels.declare(
      subscriptions.map(({ contract }) => contract),
      { groups: places, channels: places.map(({ channel, group }) => deadLetterChannel(channel, group)) },
    )
  }

  /** Hot path: for a known contract with a synchronous schema, straight from the data into the publisher's batch. */
  #publish(contract: MessageContract, message: Outgoing): Promise<Receipt> {
    try {
      this.#checkOpen()
      checkKind(contract, message.kind, message.kind === 'event' ? 'publish' : 'send')
      const admitted = this.#channels.admit(contract)
      if (isPromiseLike(admitted)) return this.#publishWhen(admitted, contract, message)
      const { data, options } = message
      const record = this.#composer.compose(contract, data, { options, origin: undefined })
      if (!isPromiseLike(record)) return this.#publisher.publish(record)
      return Promise.resolve(record).then((ready) => this.#publisher.publish(ready))
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  async #publishWhen(admitted: PromiseLike<void>, contract: MessageContract, message: Outgoing): Promise<Receipt> {
    await admitted
    return this.#publish(contract, message)
  }

  /** While it closes, running handlers may still publish. */
  #checkOpen(from: 'created' | 'running' = 'running'): void {
    const { kind } = this.#state
    if (kind === 'closed' || (kind === 'closing' && from === 'created')) {
      throw new PosthasteError('ENGINE_CLOSED', 'the bus is closed')
    }
    if (kind === 'created' && from === 'running') {
      throw new PosthasteError('FAILED_PRECONDITION', 'the bus is not started', { remedy: 'Await start first.' })
    }
  }

  async #close(graceMs: number): Promise<void> {
    await Promise.all(this.#subscriptions.map((subscription) => subscription.drain(graceMs)))
    await this.#publisher.flushed()
    if (this.#state.kind === 'closing') this.#state = { kind: 'closed', end: this.#state.end }
    if (this.#options.timers === undefined) this.#deps.timers.close()
  }
}

type HandleArguments<C extends CommandContract> =
  | readonly [handler: MessageHandler<C>]
  | readonly [options: HandlerOptions, handler: MessageHandler<C>]

/** One message on its way out. */
interface Outgoing {
  readonly data: unknown
  readonly options: PublishOptions | undefined
  readonly kind: MessageContract['kind']
}

/** Types say it to TypeScript; this says it to JavaScript. */
function checkKind(contract: MessageContract, kind: MessageContract['kind'], method: string): void {
  if (contract?.kind === kind) return
  checkContract(contract)
  throw new PosthasteError(
    'CONTRACT_INVALID',
    `${method} takes ${kind}s, and ${contract.type} is another kind of contract`,
  )
}

const accepted = ({ id }: Receipt): PublishResult => ({ ok: true, id })

const refused = (thrown: unknown): PublishResult => {
  return { ok: false, error: PosthasteError.from(thrown, 'INTERNAL', 'the message was not published') }
}
