import {
  type Clock,
  type Codec,
  type CommandContract,
  type DataIn,
  type DataOut,
  type Engine,
  type EventContract,
  type EventPattern,
  type FilterEvent,
  type Log,
  type MessageContract,
  PosthasteError,
  type ReplyOut,
  type RequestContract,
} from '@posthaste/contracts'
import { systemRandom } from '../pipeline/clock.ts'
import { messageIds, type RandomBytes } from '../pipeline/ids.ts'
import { durationOption, type OptionsSpec, readOptions } from '../pipeline/options.ts'
import { buildStack } from '../pipeline/stack.ts'
import { type TimerWheel, timerWheel } from '../pipeline/timer-wheel.ts'
import { type Administration, BusAdministration } from './administration/administration.ts'
import type { BrowseOptions, MessagePage } from './administration/browsing.ts'
import type { GroupControl } from './administration/group-control.ts'
import type { DeadLettersOf } from './administration/naming.ts'
import { Bodies } from './bodies/bodies.ts'
import type { ClaimCheckOptions } from './bodies/claim-check.ts'
import type { BatchHandler } from './consuming/batch-message.ts'
import type { Receipt } from './consuming/context.ts'
import type { SubscriptionDescription, SubscriptionSnapshot } from './consuming/description.ts'
import type { BatchHandlerOptions, BatchSubscribeOptions, SubscribeOptions } from './consuming/options.ts'
import { type PublisherOptions, publisherStack } from './consuming/stacks.ts'
import type { SubscriptionStats } from './consuming/stats.ts'
import { BusSubscribing, type HandleArguments, type MessageHandler, type Subscribing } from './consuming/subscribing.ts'
import type { DeadLetters } from './dead-letters/dead-letters.ts'
import type { Preparation } from './publishing/preparing/decisions.ts'
import type { PrepareOptions, UnresolvedOptions } from './publishing/preparing/options.ts'
import { BusPreparing, type PreparedMessages, type UnresolvedHandler } from './publishing/preparing/preparing.ts'
import type { PublishAllOptions, PublishOptions, ScheduleOptions } from './publishing/publish-options.ts'
import { BusPublishing, type Publishing, type PublishResult } from './publishing/publishing.ts'
import { recordComposer } from './publishing/record.ts'
import type { RecurrenceOptions } from './publishing/recurring/recurrence.ts'
import { BusRecurring } from './publishing/recurring/recurring.ts'
import type { RequestOptions } from './publishing/requesting/options.ts'
import { BusRequesting, type RequestStats } from './publishing/requesting/requesting.ts'
import { Standing } from './standing.ts'
import { Channels } from './topology.ts'

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
  /** Told what filters do that is out of the ordinary. */
  readonly onEvent?: ((event: FilterEvent) => void) | undefined
  /** What stands around publishing. Default: nothing. */
  readonly publisher?: PublisherOptions | undefined
  /** What reads bodies beside JSON and the contracts' own codecs, by their content types. Default: none. */
  readonly codecs?: readonly Codec[] | undefined
  /** Where bodies stand that are too big to travel. Default: they are refused. */
  readonly claimCheck?: ClaimCheckOptions | undefined
}

/** How much time an end may take. */
export interface CloseOptions {
  /** How long running handlers may go on, in milliseconds, 0 to 2^31-1. Default: 10,000. */
  readonly graceMs?: number | undefined
}

/** The messaging half: publishes messages of contracts, and hands them to handlers with the guarantees of the core. */
export interface Bus extends Publishing, Subscribing, Administration {
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
  /** Where each subscription and its filters stand at this moment. */
  snapshot(): readonly SubscriptionSnapshot[]
}

/**
 * Makes a bus over an engine.
 * @throws CONFIG_INVALID when options of the publisher, the codecs or the claim check are wrong
 */
export function createBus(options: BusOptions): Bus {
  return new EngineBus(options)
}

const closeSpec: OptionsSpec<{ readonly graceMs: number }> = { options: { graceMs: durationOption(10_000) } }

/** Joins the parts of a bus, and begins and ends them; each part says what it does. */
class EngineBus implements Bus {
  readonly #standing = new Standing()
  readonly #publishing: BusPublishing
  readonly #preparing: BusPreparing
  readonly #requesting: BusRequesting
  readonly #recurring: BusRecurring
  readonly #subscribing: BusSubscribing
  readonly #administration: BusAdministration
  /** What is to be closed with the bus. */
  readonly #ownTimers: TimerWheel | undefined
  #end: Promise<void> | undefined

  constructor(options: BusOptions) {
    const { name, engine, clock, log, onEvent, instance } = options
    const { random = systemRandom, timers = timerWheel(clock, log) } = options
    this.#ownTimers = options.timers === undefined ? timers : undefined
    const deps = { clock, log, random, timers, onEvent, target: name }
    const newId = messageIds(clock, options.randomBytes)
    const bodies = new Bodies({ codecs: options.codecs, claimCheck: options.claimCheck, timers })
    const source = `/${encodeURIComponent(name)}`
    const composer = recordComposer({ source, clock, newId, engine, claims: bodies.claims })
    const shared = { engine, composer, bodies, channels: new Channels(engine), standing: this.#standing }
    const stack = buildStack(publisherStack, options.publisher ?? {}, deps)
    this.#publishing = new BusPublishing({ ...shared, stack })
    this.#preparing = new BusPreparing({ ...shared, deps })
    this.#requesting = new BusRequesting({
      ...shared,
      ...{ deps, name, instance, newId },
      publish: (contract, record) => this.#publishing.leave(contract, record),
      abandon: (command, id, reason) => this.#subscribing.abandon(command, id, reason),
    })
    this.#subscribing = new BusSubscribing({ ...shared, instance, deps })
    this.#recurring = new BusRecurring({
      ...shared,
      ...{ name, deps },
      publish: (contract, record) => this.#publishing.leave(contract, record),
      handle: (contract, handlerOptions, handler) => this.#subscribing.handle(contract, handlerOptions, handler),
    })
    this.#administration = new BusAdministration({ ...shared, deps, subscribing: this.#subscribing })
  }

  async start(): Promise<void> {
    const standing = this.#standing
    if (standing.state !== 'created') {
      throw new PosthasteError('FAILED_PRECONDITION', `the bus is ${standing.state} and cannot be started`)
    }
    standing.state = 'starting'
    this.#preparing.check()
    this.#recurring.handleTicks()
    await this.#subscribing.start()
    try {
      await Promise.all([this.#preparing.start(), this.#recurring.start()])
    } catch (thrown) {
      this.#recurring.close()
      await Promise.all([this.#subscribing.drain(0), this.#preparing.close(0)])
      throw thrown
    }
    // It may have been closed meanwhile.
    if ((standing.state as Standing['state']) === 'starting') standing.state = 'running'
  }

  close(given: CloseOptions = {}): Promise<void> {
    if (this.#end !== undefined) return this.#end
    const { graceMs } = readOptions('close', given, closeSpec)
    this.#standing.state = 'closing'
    this.#end = this.#close(graceMs)
    return this.#end
  }

  async #close(graceMs: number): Promise<void> {
    this.#administration.close()
    this.#recurring.close()
    await Promise.all([this.#subscribing.drain(graceMs), this.#preparing.close(graceMs)])
    await this.#requesting.close()
    await this.#publishing.flushed()
    this.#standing.state = 'closed'
    this.#ownTimers?.close()
  }

  stats(): readonly SubscriptionStats[] {
    return this.#subscribing.stats()
  }

  describe(): readonly SubscriptionDescription[] {
    return this.#subscribing.describe()
  }

  snapshot(): readonly SubscriptionSnapshot[] {
    return this.#subscribing.snapshot()
  }

  // ── Publishing ──────────────────────────────────────────────────────────────────────────────────────────────────

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.publish(event, data, options)
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.send(command, data, options)
  }

  publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]> {
    return this.#publishing.publishAll(contract, data, options)
  }

  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    return this.#publishing.schedule(contract, data, options)
  }

  cancel(contract: MessageContract, id: string): Promise<boolean> {
    return this.#publishing.cancel(contract, id)
  }

  request<C extends RequestContract>(command: C, data: DataIn<C>, options?: RequestOptions): Promise<ReplyOut<C>> {
    return this.#requesting.request(command, data, options)
  }

  requestStats(): RequestStats {
    return this.#requesting.requestStats()
  }

  recur<C extends MessageContract>(contract: C, recurrence: RecurrenceOptions<C>): void {
    this.#recurring.recur(contract, recurrence)
  }

  prepare<C extends MessageContract>(contract: C, data: DataIn<C>, options?: PrepareOptions): Promise<Preparation> {
    return this.#preparing.prepare(contract, data, options)
  }

  onUnresolved<C extends MessageContract>(contract: C, options: UnresolvedOptions, ask: UnresolvedHandler<C>): void {
    this.#preparing.onUnresolved(contract, options, ask)
  }

  prepared<C extends MessageContract>(contract: C): PreparedMessages<C> {
    return this.#preparing.prepared(contract)
  }

  // ── Consuming ───────────────────────────────────────────────────────────────────────────────────────────────────

  on<C extends EventContract | EventPattern>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void {
    this.#subscribing.on(event, options, handler)
  }

  handle<C extends CommandContract>(command: C, ...rest: HandleArguments<C>): void {
    this.#subscribing.handle(command, ...rest)
  }

  onBatch<C extends EventContract | EventPattern>(
    event: C,
    options: BatchSubscribeOptions,
    handler: BatchHandler<C>,
  ): void {
    this.#subscribing.onBatch(event, options, handler)
  }

  handleBatch<C extends CommandContract>(command: C, options: BatchHandlerOptions, handler: BatchHandler<C>): void {
    this.#subscribing.handleBatch(command, options, handler)
  }

  // ── Administration ──────────────────────────────────────────────────────────────────────────────────────────────

  browse<C extends MessageContract>(contract: C, options?: BrowseOptions): Promise<MessagePage<DataOut<C>>> {
    return this.#administration.browse(contract, options)
  }

  group(contract: MessageContract, of?: { readonly group: string }): GroupControl {
    return this.#administration.group(contract, of)
  }

  deadLetters(contract: MessageContract, of?: Partial<DeadLettersOf>): DeadLetters {
    return this.#administration.deadLetters(contract, of)
  }
}
