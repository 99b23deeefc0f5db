import type { EngineSubscription, MessageContract, PosthasteError, Timer } from '@posthaste/contracts'
import { backoffCeilingMs } from '../../resilience/retry/backoff.ts'
import { type Assembly, type AssemblyInit, assemble } from './assembly.ts'
import { Consumer, type ConsumerInit } from './consumer.ts'
import { filterDescription, type SubscriptionDescription, type SubscriptionSnapshot } from './description.ts'
import type { HandlerSettings } from './options.ts'
import { endsWithin, enginePatienceMs } from './patience.ts'
import { SinkRelay } from './sink-relay.ts'
import { noCounts, type SubscriptionCounters, type SubscriptionStats } from './stats.ts'

/** What a subscription is made of. */
export interface SubscriptionInit extends AssemblyInit {
  /** Names this process within the group. */
  readonly member: string
  /** Makes sure that the channel and the group exist. Idempotent. */
  readonly declare: () => Promise<void>
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'joining' }
  | { readonly kind: 'running'; readonly consumer: Consumer; readonly member: EngineSubscription }
  /** It ended by itself. */
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | {
      readonly kind: 'pausing'
      readonly consumer: Consumer | undefined
      readonly member: EngineSubscription | undefined
    }
  /** `begun`: whether to join when it goes on; otherwise it was paused before its start. */
  | { readonly kind: 'paused'; readonly begun: boolean }
  | { readonly kind: 'draining'; readonly consumer: Consumer | undefined }
  | { readonly kind: 'stopped' }

const noFilter = { filter: undefined }
const nobody = { consumer: undefined, member: undefined }
const restartBackoff = { baseMs: 200, factor: 2, maxMs: 30_000 }
/** How long the handlers of a lost membership may run on before a new one begins. */
const quietMaxMs = 10_000
/** How long handlers may run on when their subscription is paused, unless told otherwise. */
const pauseGraceMs = 10_000

/**
 * One handler's subscription over its whole life: joins the group, and joins again, after growing waits, whenever the
 * membership ends by itself. A consumer that dies is reported and begun again, whatever it died of.
 */
export class Subscription {
  readonly contract: MessageContract
  readonly settings: HandlerSettings
  /** The engine's name of the group. */
  readonly engineGroup: string
  readonly #init: SubscriptionInit
  readonly #parts: Assembly
  readonly #counters: SubscriptionCounters = noCounts()
  #state: State = { kind: 'idle' }
  /** Consumers that ended by themselves while handlers of theirs ran on. */
  #former: readonly Consumer[] = []
  /** Ends in a row without a message settled in between. */
  #failures = 0
  #settledBefore = 0
  /** The joining under way, or the last one. */
  #joined: Promise<void> = Promise.resolve()
  /** The pausing under way, or the last one. */
  #pausing: Promise<void> = Promise.resolve()

  /** @throws CONFIG_INVALID when options of the stack are wrong */
  constructor(init: SubscriptionInit) {
    this.contract = init.contract
    this.settings = init.settings
    this.engineGroup = init.engineGroup
    this.#init = init
    this.#parts = assemble(init, this.#counters)
  }

  /** Joins the group. Rejects if the first time fails; from then on failures are dealt with here. */
  async start(): Promise<void> {
    if (this.#isHeld()) return
    if (this.#state.kind === 'idle') await this.#join()
  }

  /** Makes the group and joins it, in the background, for as long as it takes. Resolves after the first try. */
  async startLater(): Promise<void> {
    try {
      await this.#init.declare()
      await this.#joinUnlessStopped()
    } catch (thrown) {
      this.#ended(thrown, () => void this.startLater())
    }
  }

  /**
   * Leaves the group in good order: hands back what has not begun, lets handlers end for up to `graceMs`, then cancels them
   * and hands their messages back uncounted. Other members go on. Before the start: does not begin. Idempotent.
   */
  async pause(graceMs = pauseGraceMs): Promise<void> {
    const { kind } = this.#state
    if (kind === 'idle') this.#state = { kind: 'paused', begun: false }
    else if (kind === 'joining' || kind === 'running' || kind === 'waiting') this.#pausing = this.#pause(graceMs)
    await this.#pausing
  }

  /** Whether it is paused, or about to be. */
  get isPaused(): boolean {
    return this.#state.kind === 'paused' || this.#state.kind === 'pausing'
  }

  /** Joins again; after the pausing has ended where it is under way. Resolves after the first try. Idempotent. */
  async resume(): Promise<void> {
    await this.#pausing
    const state = this.#state
    if (state.kind !== 'paused') return
    this.#state = { kind: 'idle' }
    if (state.begun) await this.startLater()
  }

  /**
   * Hands back what has not begun, lets handlers end for up to `graceMs`, those of memberships that ended by themselves
   * included, then leaves. Idempotent.
   */
  async drain(graceMs: number): Promise<void> {
    const state = this.#state
    if (state.kind === 'draining' || state.kind === 'stopped') return this.#joined.catch(() => {})
    const { consumer, member } = this.#release()
    this.#state = { kind: 'draining', consumer }
    await this.#quieten(consumer, graceMs)
    if (member !== undefined) await this.#leave(member)
    this.#state = { kind: 'stopped' }
  }

  /** Whoever requested a message has given up: its handler is told, and it is not tried again. */
  abandon(id: string, reason: PosthasteError): void {
    if ('consumer' in this.#state) this.#state.consumer?.abandon(id, reason)
  }

  stats(): SubscriptionStats {
    const state = this.#state
    const consumer = 'consumer' in state ? state.consumer : undefined
    const { contract, settings } = this.#init
    const place = { channel: contract.type, group: settings.group, state: state.kind }
    const running = this.#former.reduce((sum, former) => sum + former.running, consumer?.running ?? 0)
    return { ...place, ...this.#counters, running, unsettled: consumer?.unsettled ?? 0 }
  }

  snapshot(): SubscriptionSnapshot {
    return { ...this.stats(), filters: this.#parts.stack.snapshot() }
  }

  describe(): SubscriptionDescription {
    const { contract, settings } = this.#init
    const { group, concurrency, ladder, delivery, batch } = settings
    const filter = settings.filter && filterDescription(settings.filter)
    const place = { channel: contract.type, group, concurrency, prefetch: this.#prefetch() }
    return { ...place, retry: ladder, delivery, filter, batch, filters: this.#parts.stack.describe() }
  }

  async #pause(graceMs: number): Promise<void> {
    const pausing = { kind: 'pausing', ...this.#release() } as const
    this.#state = pausing
    await this.#quieten(pausing.consumer, graceMs)
    if (pausing.member !== undefined) await this.#leave(pausing.member)
    this.#keepFormer(pausing.consumer)
    // Drained meanwhile.
    if (this.#state === pausing) this.#state = { kind: 'paused', begun: true }
  }

  /** The membership that is to be given up, if there is one; one that is to be begun again is not. */
  #release(): { readonly consumer: Consumer | undefined; readonly member: EngineSubscription | undefined } {
    const state = this.#state
    if (state.kind === 'waiting') state.timer.cancel()
    const { consumer, member } = state.kind === 'running' || state.kind === 'pausing' ? state : nobody
    return { consumer, member }
  }

  /** Lets all handlers end, and whoever is joining. */
  async #quieten(consumer: Consumer | undefined, graceMs: number): Promise<void> {
    const formerEnded = this.#former.map((former) => former.quiet(graceMs, () => former.running === 0))
    await Promise.all([consumer?.drain(graceMs), ...formerEnded])
    // One that is joining leaves again by itself.
    const { deps } = this.#init
    if (await endsWithin(enginePatienceMs, this.#joined, deps.timers)) return
    deps.log.warn('the engine does not answer whether a group was joined', { target: deps.target })
  }

  /** What was paused before it began joins when it goes on. */
  #isHeld(): boolean {
    if (this.#state.kind === 'paused') this.#state = { kind: 'paused', begun: true }
    return this.#state.kind === 'paused'
  }

  async #joinUnlessStopped(): Promise<void> {
    if (this.#isHeld()) return
    if (this.#state.kind === 'idle' || this.#state.kind === 'waiting') await this.#join()
  }

  #join(): Promise<void> {
    this.#joined = this.#joinOnce()
    return this.#joined
  }

  async #joinOnce(): Promise<void> {
    const { engine, contract, engineGroup: group, member: name } = this.#init
    const joining = { kind: 'joining' } as const
    this.#state = joining
    /** The engine may close a subscription before it has handed it out. */
    const relay = new SinkRelay()
    let member: EngineSubscription
    try {
      await this.#formerQuiet()
      const { filter } = engine.capabilities.filter === 'native' ? this.#parts : noFilter
      member = await engine.subscribe({ channel: contract.type, group, member: name, ...(filter && { filter }) }, relay)
    } catch (thrown) {
      if (this.#state === joining) this.#state = { kind: 'idle' }
      throw thrown
    }
    // Drained or paused meanwhile.
    if (this.#state !== joining) return this.#leave(member)
    const consumer = new Consumer(
      this.#consumerInit(() => consumer, member),
      member,
    )
    this.#state = { kind: 'running', consumer, member }
    relay.connect(consumer)
    consumer.begin()
  }

  /** Two handlers must not work on one key: those of an old membership may end first. */
  async #formerQuiet(): Promise<void> {
    if (this.#former.length === 0) return
    await Promise.all(this.#former.map((former) => former.quiet(quietMaxMs, () => former.running === 0)))
    this.#keepFormer(undefined)
  }

  #keepFormer(consumer: Consumer | undefined): void {
    const all = consumer === undefined ? this.#former : [...this.#former, consumer]
    this.#former = all.filter(({ running }) => running > 0)
  }

  #consumerInit(consumer: () => Consumer, member: EngineSubscription): ConsumerInit {
    const { contract, settings, deps } = this.#init
    const { stack, handling, atMostOnce, batches, forEngine } = this.#parts
    return {
      concurrency: settings.concurrency,
      prefetch: this.#prefetch(),
      priorities: contract.priorities ?? 1,
      ...{ stack, handling, atMostOnce, batches },
      ...forEngine(),
      counters: this.#counters,
      deps,
      onEnded: (cause) => {
        this.#keepFormer(consumer())
        // Otherwise it is being drained or paused.
        if (this.#state.kind !== 'running') return
        this.#state = { kind: 'idle' }
        this.#ended(cause, () => void this.#rejoin(member))
      },
    }
  }

  /** Reports the end of a membership, or that none could be begun, and begins again after a while. */
  #ended(cause: unknown, again: () => void): void {
    // Drained or paused meanwhile, or begun by another attempt.
    const state = this.#state
    if (this.#isHeld() || (state.kind !== 'idle' && state.kind !== 'waiting')) return
    if (state.kind === 'waiting') state.timer.cancel()
    const { deps } = this.#init
    const settled = this.#counters.acked + this.#counters.deadLettered
    this.#failures = settled > this.#settledBefore ? 1 : this.#failures + 1
    this.#settledBefore = settled
    const delayMs = backoffCeilingMs(restartBackoff, this.#failures) * (0.5 + deps.random() / 2)
    this.#counters.restarts += 1
    deps.log.error('a subscription ended and is begun again', { target: deps.target, delayMs, error: cause })
    this.#state = { kind: 'waiting', timer: deps.timers.set(delayMs, again) }
  }

  async #rejoin(member: EngineSubscription): Promise<void> {
    await this.#leave(member)
    // A temporary group has gone with its last member.
    if (this.settings.lifetime === 'temporary') return this.startLater()
    try {
      await this.#joinUnlessStopped()
    } catch (thrown) {
      this.#ended(thrown, () => void this.#rejoin(member))
    }
  }

  async #leave(member: EngineSubscription): Promise<void> {
    const { deps } = this.#init
    const report = (error?: unknown): void =>
      deps.log.warn('the engine did not let go of a subscription', { target: deps.target, error })
    const left = member.stop().catch(report)
    if (!(await endsWithin(enginePatienceMs, left, deps.timers))) report()
  }

  #prefetch(): number {
    return Math.min(this.settings.prefetch, this.#init.engine.capabilities.unsettledMax)
  }
}
