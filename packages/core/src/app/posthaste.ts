import process from 'node:process'
import {
  type Call,
  type CommandContract,
  type DataIn,
  type DataOut,
  type Engine,
  type EngineHost,
  type EngineState,
  type EventContract,
  type EventPattern,
  type MessageContract,
  type Methods,
  PosthasteError,
  type ReplyOut,
  type RequestContract,
  type ServiceContract,
} from '@posthaste/contracts'
import type { BrowseOptions, MessagePage } from '../bus/administration/browsing.ts'
import type { GroupControl } from '../bus/administration/group-control.ts'
import type { DeadLettersOf } from '../bus/administration/naming.ts'
import { type Bus, createBus } from '../bus/bus.ts'
import { complete } from '../bus/completing/complete.ts'
import type { BatchHandler } from '../bus/consuming/batch-message.ts'
import type { Receipt } from '../bus/consuming/context.ts'
import type {
  BatchHandlerOptions,
  BatchSubscribeOptions,
  HandlerOptions,
  SubscribeOptions,
} from '../bus/consuming/options.ts'
import type { MessageHandler } from '../bus/consuming/subscribing.ts'
import type { DeadLetters } from '../bus/dead-letters/dead-letters.ts'
import type { Preparation } from '../bus/publishing/preparing/decisions.ts'
import type { PrepareOptions, UnresolvedOptions } from '../bus/publishing/preparing/options.ts'
import type { PreparedMessages, UnresolvedHandler } from '../bus/publishing/preparing/preparing.ts'
import type { PublishAllOptions, PublishOptions, ScheduleOptions } from '../bus/publishing/publish-options.ts'
import type { PublishResult } from '../bus/publishing/publishing.ts'
import type { RecurrenceOptions } from '../bus/publishing/recurring/recurrence.ts'
import type { RequestOptions } from '../bus/publishing/requesting/options.ts'
import type { RequestStats } from '../bus/publishing/requesting/requesting.ts'
import { refuseOptions } from '../pipeline/options.ts'
import { timerWheel } from '../pipeline/timer-wheel.ts'
import type { Client } from '../rpc/client.ts'
import type { ClientOptions } from '../rpc/client-options.ts'
import { createRpc, type Rpc } from '../rpc/rpc.ts'
import type { ServeOptions, ServiceHandlers } from '../rpc/serve.ts'
import type { App, AppDescription, AppSnapshot } from './app.ts'
import { AppCallContext, type CallContext } from './call-context.ts'
import { type EngineHealth, type Health, healthOf } from './health.ts'
import { keepAlive } from './keep-alive.ts'
import { type AppState, LifeCycle, type Part } from './life-cycle.ts'
import { type AppOptions, type AppSettings, settingsOf } from './options.ts'
import { preflightIssues } from './preflight.ts'
import { onStopSignal } from './signals.ts'
import { type TransportsPart, transportsPart } from './transports.ts'

/**
 * Makes an application. Nothing is opened before `start`.
 *
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function posthaste(options: AppOptions): App {
  return new Application(settingsOf(options))
}

/** Wires the halves to each other and to the engine and transports; decides nothing about messages or calls itself. */
class Application implements App {
  readonly name: string
  readonly #settings: AppSettings
  /** What messages go through; absent without an engine. */
  readonly #bus: Bus | undefined
  readonly #rpc: Rpc<CallContext>
  readonly #transports: TransportsPart
  readonly #life: LifeCycle
  readonly #needsEngine: string[] = []
  readonly #calledLocally = new Set<string>()
  #engineHealth: EngineHealth | undefined
  #removeSignals: (() => void) | undefined
  #letEnd: (() => void) | undefined

  constructor(settings: AppSettings) {
    const { name, clock, log, random, transports, graceMs, codecs, claimCheck, onFilterEvent: onEvent } = settings
    const engine = settings.engine && complete(settings.engine)
    this.name = name
    this.#settings = settings
    const instance = instanceName(name)
    const shared = { clock, log, random, onEvent, timers: timerWheel(clock, log) }
    this.#bus = engine && createBus({ name, engine, instance, codecs, claimCheck, ...shared })
    this.#engineHealth = engine && { name: engine.name, state: 'closed' }
    this.#rpc = createRpc({
      ...shared,
      refusal: () => this.#refusal(),
      context: (call: Call): CallContext => new AppCallContext(call, clock, this),
    })
    this.#transports = transportsPart(transports, () => this.#rpc.served, {
      clock,
      log,
      health: () => this.health().status,
    })
    const messaging = engine && this.#bus ? [this.#enginePart(engine, instance), busPart(this.#bus)] : []
    const parts = [this.#ownPart(), clientsPart(this.#rpc), ...messaging, streamsPart(this.#rpc), this.#transports]
    this.#life = new LifeCycle({
      parts,
      check: () => this.#check(),
      graceMs,
      monotonicMs: () => clock.monotonicMs(),
      log,
    })
  }

  get state(): AppState {
    return this.#life.state
  }

  get urls(): readonly string[] {
    return [...this.#transports.urls]
  }

  on<C extends EventContract | EventPattern>(event: C, options: SubscribeOptions, handler: MessageHandler<C>): void {
    if (this.#bus === undefined) this.#needsEngine.push(`on(${nameOf(event)})`)
    else this.#bus.on(event, options, handler)
  }

  handle<C extends CommandContract>(
    command: C,
    ...rest: readonly [MessageHandler<C>] | readonly [HandlerOptions, MessageHandler<C>]
  ): void {
    if (this.#bus === undefined) this.#needsEngine.push(`handle(${command.type})`)
    else if (rest.length === 1) this.#bus.handle(command, rest[0])
    else this.#bus.handle(command, rest[0], rest[1])
  }

  onBatch<C extends EventContract | EventPattern>(
    event: C,
    options: BatchSubscribeOptions,
    handler: BatchHandler<C>,
  ): void {
    if (this.#bus === undefined) this.#needsEngine.push(`onBatch(${nameOf(event)})`)
    else this.#bus.onBatch(event, options, handler)
  }

  handleBatch<C extends CommandContract>(command: C, options: BatchHandlerOptions, handler: BatchHandler<C>): void {
    if (this.#bus === undefined) this.#needsEngine.push(`handleBatch(${command.type})`)
    else this.#bus.handleBatch(command, options, handler)
  }

  serve<const M extends Methods>(
    service: ServiceContract<M>,
    handlers: ServiceHandlers<M, CallContext>,
    options?: ServeOptions,
  ): void {
    // Transports are told once what there is.
    if (this.state !== 'new') {
      const remedy = 'Serve everything before start.'
      throw new PosthasteError(
        'FAILED_PRECONDITION',
        `'${service.name}' comes too late: the application is ${this.state}`,
        { remedy },
      )
    }
    this.#rpc.serve(service, handlers, options)
  }

  client<const M extends Methods>(service: ServiceContract<M>, options: ClientOptions<M> = {}): Client<M> {
    const client = this.#rpc.client(service, options)
    if (options.transport === undefined) this.#calledLocally.add(service.name)
    return client
  }

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    // Hot path: the bus's own promise, not one around it.
    return this.#bus?.publish(event, data, options) ?? Promise.reject(this.#noEngine('publish'))
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#bus?.send(command, data, options) ?? Promise.reject(this.#noEngine('send'))
  }

  async publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]> {
    return this.#messages('publishAll').publishAll(contract, data, options)
  }

  async schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    return this.#messages('schedule').schedule(contract, data, options)
  }

  async cancel(contract: MessageContract, id: string): Promise<boolean> {
    return this.#messages('cancel').cancel(contract, id)
  }

  async browse<C extends MessageContract>(contract: C, options?: BrowseOptions): Promise<MessagePage<DataOut<C>>> {
    return this.#messages('browse').browse(contract, options)
  }

  group(contract: MessageContract, of?: { readonly group: string }): GroupControl {
    // The overloads tell users what to give; whatever they give, the bus checks.
    return this.#messages('group').group(contract as CommandContract, of)
  }

  request<C extends RequestContract>(command: C, data: DataIn<C>, options?: RequestOptions): Promise<ReplyOut<C>> {
    return this.#bus?.request(command, data, options) ?? Promise.reject(this.#noEngine('request'))
  }

  requestStats(): RequestStats {
    return this.#messages('requestStats').requestStats()
  }

  recur<C extends MessageContract>(contract: C, recurrence: RecurrenceOptions<C>): void {
    if (this.#bus === undefined) this.#needsEngine.push(`recur(${contract.type})`)
    else this.#bus.recur(contract, recurrence)
  }

  async prepare<C extends MessageContract>(
    contract: C,
    data: DataIn<C>,
    options?: PrepareOptions,
  ): Promise<Preparation> {
    return this.#messages('prepare').prepare(contract, data, options)
  }

  onUnresolved<C extends MessageContract>(contract: C, options: UnresolvedOptions, ask: UnresolvedHandler<C>): void {
    if (this.#bus === undefined) this.#needsEngine.push(`onUnresolved(${contract.type})`)
    else this.#bus.onUnresolved(contract, options, ask)
  }

  prepared<C extends MessageContract>(contract: C): PreparedMessages<C> {
    return this.#messages('prepared').prepared(contract)
  }

  deadLetters(contract: MessageContract, of?: Partial<DeadLettersOf>): DeadLetters {
    return this.#messages('deadLetters').deadLetters(contract as CommandContract, of)
  }

  async start(): Promise<void> {
    await this.#life.start()
  }

  async close(): Promise<void> {
    if (this.state === 'running')
      this.#settings.log.info('closing', { app: this.name, graceMs: this.#settings.graceMs })
    try {
      await this.#life.close()
    } finally {
      // One that was never started is no part of what was closed, and is to say that it is over all the same.
      await this.#bus?.close()
      await this.#rpc.close()
    }
  }

  health(): Health {
    return healthOf({ state: this.state, engine: this.#engineHealth, subscriptions: this.#bus?.stats() ?? [] })
  }

  describe(): AppDescription {
    return { name: this.name, methods: this.#rpc.describe(), subscriptions: this.#bus?.describe() ?? [] }
  }

  snapshot(): AppSnapshot {
    return { methods: this.#rpc.snapshot(), subscriptions: this.#bus?.snapshot() ?? [] }
  }

  #check(): void {
    refuseOptions(
      preflightIssues({
        hasEngine: this.#bus !== undefined,
        hasTransports: this.#settings.transports.length > 0,
        needsEngine: this.#needsEngine,
        served: this.#rpc.served,
        calledLocally: this.#calledLocally,
      }),
    )
  }

  #messages(what: string): Bus {
    if (this.#bus !== undefined) return this.#bus
    throw this.#noEngine(what)
  }

  #noEngine(what: string): PosthasteError {
    return new PosthasteError('CAPABILITY_UNSUPPORTED', `${what} needs an engine, and '${this.name}' has none`, {
      remedy: 'Give the application an engine.',
    })
  }

  /** Calls are made from the first delivery, which may come before `start` resolves, to the last handler of the drain. */
  #refusal(): PosthasteError | undefined {
    if (this.state === 'new') {
      return new PosthasteError('FAILED_PRECONDITION', `'${this.name}' is not started`, {
        remedy: 'Await start first.',
      })
    }
    return this.state === 'closed' ? new PosthasteError('ENGINE_CLOSED', `'${this.name}' is closed`) : undefined
  }

  /**
   * First to start and last to close: the process stays for as long as the application works. The timers go on: calls that
   * outlive it still have their deadlines, and no timer keeps the process alive.
   */
  #ownPart(): Part {
    const { signals, log } = this.#settings
    return {
      name: 'application',
      start: async () => {
        this.#letEnd = keepAlive()
        if (signals) this.#removeSignals = onStopSignal((signal) => this.#stopOn(signal))
      },
      close: async () => {
        this.#removeSignals?.()
        this.#letEnd?.()
        log.info('closed', { app: this.name })
      },
    }
  }

  #stopOn(signal: string): void {
    const { log } = this.#settings
    log.info('stopping', { app: this.name, signal })
    this.close().catch((error: unknown) => log.error('the application did not close cleanly', { error }))
  }

  #enginePart(engine: Engine, instance: string): Part {
    const { clock, log, random } = this.#settings
    const host: EngineHost = {
      clock,
      log,
      random,
      instance,
      onState: (state, cause) => this.#engineIs({ name: engine.name, state, cause }),
      onClockSkew: (aheadMs, errorMs) => {
        const level = Math.abs(aheadMs) - errorMs > skewMaxMs ? 'warn' : 'debug'
        log[level]('the clock of the engine differs from ours', { engine: engine.name, aheadMs, errorMs })
      },
    }
    return {
      name: `engine ${engine.name}`,
      start: async () => {
        await engine.open(host)
        // An engine that has said more about itself while it opened knows better.
        if (this.#engineHealth?.state === 'closed') this.#engineHealth = { name: engine.name, state: 'connected' }
      },
      close: async () => {
        await engine.close()
        this.#engineHealth = { name: engine.name, state: 'closed' }
      },
    }
  }

  #engineIs(now: EngineHealth & { readonly state: EngineState }): void {
    const before = this.#engineHealth?.state
    this.#engineHealth = now
    const level = now.state === 'lost' ? 'error' : now.state === 'degraded' ? 'warn' : 'info'
    if (before !== now.state)
      this.#settings.log[level](`the engine is ${now.state}`, { engine: now.name, error: now.cause })
  }
}

/** Clocks further apart than this make due times visibly early or late. */
const skewMaxMs = 1_000

function nameOf(event: EventContract | EventPattern): string {
  return event.kind === 'pattern' ? event.pattern : event.type
}

function busPart(bus: Bus): Part {
  return { name: 'bus', start: () => bus.start(), close: (graceMs) => bus.close({ graceMs }) }
}

/** Handlers call until the last of them has ended, and transports connect with the first call: this begins nothing. */
function clientsPart(rpc: Rpc<CallContext>): Part {
  return { name: 'transports of clients', start: async () => undefined, close: () => rpc.close() }
}

/**
 * Calls with streams within the process; transports wait for theirs. Some have no end of their own: half of the grace is left
 * to the handlers of messages.
 */
function streamsPart(rpc: Rpc<CallContext>): Part {
  return { name: 'streams', start: async () => undefined, close: (graceMs) => rpc.drain(graceMs / 2) }
}

/** Unique among the processes of an application, also where containers give all of them the same pid. */
function instanceName(name: string): string {
  const random = crypto.getRandomValues(new Uint8Array(4))
  return `${name}-${process.pid}-${random.reduce((text, byte) => text + byte.toString(16).padStart(2, '0'), '')}`
}
