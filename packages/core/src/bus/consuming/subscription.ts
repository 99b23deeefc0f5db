import {
  type DeliverySink,
  type Engine,
  type EngineSubscription,
  type FilterDescription,
  type MessageContract,
  PosthasteError,
  type Timer,
} from '@posthaste/contracts'
import { buildStack, editStack, type FilterDeps, type FilterStack } from '../../pipeline/stack.ts'
import { backoffCeilingMs } from '../../resilience/backoff.ts'
import type { Bodies } from '../bodies/bodies.ts'
import { Consumer, type ConsumerInit } from './consumer.ts'
import type { ContextScope } from './context.ts'
import { type ErasedHandler, type Handling, handling } from './handling.ts'
import type { Ladder } from './ladder.ts'
import type { HandlerSettings } from './options.ts'
import { consumerStack } from './stacks.ts'
import { noCounts, type SubscriptionCounters, type SubscriptionStats } from './stats.ts'

/** What a subscription is made of. */
export interface SubscriptionInit {
  readonly contract: MessageContract
  readonly settings: HandlerSettings
  readonly handler: ErasedHandler
  readonly engine: Engine
  readonly bodies: Bodies
  /** Names this process within the group. */
  readonly member: string
  readonly scope: Pick<ContextScope, 'composer' | 'admit'>
  /** Its target names the subscription: `shop.order.created@points`. */
  readonly deps: FilterDeps
}

/** How a subscription is set. */
export interface SubscriptionDescription {
  readonly channel: string
  readonly group: string
  readonly concurrency: number
  readonly prefetch: number
  readonly retry: Ladder
  /** Outermost first. */
  readonly filters: readonly FilterDescription[]
}

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'joining' }
  | { readonly kind: 'running'; readonly consumer: Consumer; readonly member: EngineSubscription }
  /** It ended by itself. */
  | { readonly kind: 'waiting'; readonly timer: Timer }
  | { readonly kind: 'draining'; readonly consumer: Consumer | undefined }
  | { readonly kind: 'stopped' }

const restartBackoff = { baseMs: 200, factor: 2, maxMs: 30_000 }
/** How long the handlers of a lost membership may run on before a new one begins. */
const quietMaxMs = 10_000

/**
 * One handler's subscription over its whole life: joins the group, and joins again, after growing waits, whenever the
 * membership ends by itself. A consumer that dies is reported and begun again, whatever it died of.
 */
export class Subscription {
  readonly contract: MessageContract
  readonly settings: HandlerSettings
  readonly #init: SubscriptionInit
  readonly #stack: FilterStack
  readonly #handling: Handling
  readonly #counters: SubscriptionCounters = noCounts()
  #state: State = { kind: 'idle' }
  /** Consumers that ended by themselves while handlers of theirs ran on. */
  #former: readonly Consumer[] = []
  /** Ends in a row without a message settled in between. */
  #failures = 0
  #settledBefore = 0
  /** The joining under way, or the last one. */
  #joined: Promise<void> = Promise.resolve()

  /** @throws CONFIG_INVALID when options of the stack are wrong */
  constructor(init: SubscriptionInit) {
    const { contract, settings, handler, deps, scope, bodies } = init
    const { ladder, timeoutMs, breaker, group } = settings
    const editor = editStack(consumerStack)
    const { slots } = settings.stack?.(editor) ?? editor
    this.#stack = buildStack(slots, { immediate: ladder.immediate, timeoutMs, breaker }, deps)
    const ownScope = { ...scope, group, triesMax: ladder.immediate + 1 }
    const read = bodies.reader(contract.type, contract)
    this.#handling = handling({ target: deps.target, handler, read, stack: this.#stack, scope: ownScope })
    this.contract = contract
    this.settings = settings
    this.#init = init
  }

  /** Joins the group. Rejects if the first time fails; from then on failures are dealt with here. */
  async start(): Promise<void> {
    if (this.#state.kind !== 'idle') return
    await this.#join()
  }

  /** Joins the group in the background, after `ready`, for as long as it takes. */
  startWhen(ready: () => Promise<void>): void {
    ready()
      .then(() => this.#joinUnlessStopped())
      .catch((error) => this.#ended(error, () => this.startWhen(ready)))
  }

  /**
   * Hands back what has not begun, lets handlers end for up to `graceMs`, those of memberships that ended by themselves
   * included, then leaves. Idempotent.
   */
  async drain(graceMs: number): Promise<void> {
    const state = this.#state
    if (state.kind === 'draining' || state.kind === 'stopped') return this.#joined.catch(() => {})
    if (state.kind === 'waiting') state.timer.cancel()
    const current = state.kind === 'running' ? state : undefined
    this.#state = { kind: 'draining', consumer: current?.consumer }
    const formerEnded = this.#former.map((former) => former.quiet(graceMs, () => former.running === 0))
    await Promise.all([current?.consumer.drain(graceMs), ...formerEnded])
    // One that is joining leaves again by itself.
    await this.#joined.catch(() => {})
    if (current !== undefined) await this.#leave(current.member)
    this.#state = { kind: 'stopped' }
  }

  stats(): SubscriptionStats {
    const state = this.#state
    const consumer = state.kind === 'running' || state.kind === 'draining' ? state.consumer : undefined
    const { contract, settings } = this.#init
    const place = { channel: contract.type, group: settings.group, state: state.kind }
    const running = this.#former.reduce((sum, former) => sum + former.running, consumer?.running ?? 0)
    return { ...place, ...this.#counters, running, unsettled: consumer?.unsettled ?? 0 }
  }

  describe(): SubscriptionDescription {
    const { contract, settings } = this.#init
    const { group, concurrency, ladder } = settings
    const place = { channel: contract.type, group, concurrency, prefetch: this.#prefetch() }
    return { ...place, retry: ladder, filters: this.#stack.describe() }
  }

  async #joinUnlessStopped(): Promise<void> {
    if (this.#state.kind === 'idle' || this.#state.kind === 'waiting') await this.#join()
  }

  #join(): Promise<void> {
    this.#joined = this.#joinOnce()
    return this.#joined
  }

  async #joinOnce(): Promise<void> {
    const { engine, contract, settings, member: name } = this.#init
    this.#state = { kind: 'joining' }
    /** The engine may close a subscription before it has handed it out. */
    const relay = new SinkRelay()
    let member: EngineSubscription
    try {
      member = await engine.subscribe({ channel: contract.type, group: settings.group, member: name }, relay)
    } catch (thrown) {
      if (this.#state.kind === 'joining') this.#state = { kind: 'idle' }
      throw thrown
    }
    // Drained meanwhile.
    if (this.#state.kind !== 'joining') return this.#leave(member)
    const consumer = new Consumer(
      this.#consumerInit(() => consumer, member),
      member,
    )
    this.#state = { kind: 'running', consumer, member }
    relay.connect(consumer)
    consumer.begin()
  }

  #consumerInit(consumer: () => Consumer, member: EngineSubscription): ConsumerInit {
    const { settings, engine, deps } = this.#init
    return {
      group: settings.group,
      concurrency: settings.concurrency,
      prefetch: this.#prefetch(),
      handling: this.#handling,
      stack: this.#stack,
      rules: { ladder: settings.ladder, random: deps.random },
      capabilities: engine.capabilities,
      counters: this.#counters,
      deps,
      onEnded: (cause) => {
        this.#former = [...this.#former, consumer()].filter(({ running }) => running > 0)
        this.#ended(cause, () => this.#rejoin(consumer(), member))
      },
    }
  }

  /** Reports the end of a membership, and begins again after a while. */
  #ended(cause: unknown, again: () => void): void {
    if (this.#state.kind === 'draining' || this.#state.kind === 'stopped') return
    const { deps } = this.#init
    const settled = this.#counters.acked + this.#counters.deadLettered
    this.#failures = settled > this.#settledBefore ? 1 : this.#failures + 1
    this.#settledBefore = settled
    const delayMs = backoffCeilingMs(restartBackoff, this.#failures) * (0.5 + deps.random() / 2)
    this.#counters.restarts += 1
    deps.log.error('a subscription ended and is begun again', { target: deps.target, delayMs, error: cause })
    this.#state = { kind: 'waiting', timer: deps.timers.set(delayMs, again) }
  }

  /** Two handlers must not work on one key: those of the old membership may end first. */
  #rejoin(old: Consumer, member: EngineSubscription): void {
    this.#leave(member)
      .then(() => old.quiet(quietMaxMs, () => old.running === 0))
      .then(() => this.#joinUnlessStopped())
      .catch((error) => this.#ended(error, () => this.#rejoin(old, member)))
  }

  async #leave(member: EngineSubscription): Promise<void> {
    const { deps } = this.#init
    try {
      await member.stop()
    } catch (error) {
      deps.log.warn('the engine did not let go of a subscription', { target: deps.target, error })
    }
  }

  #prefetch(): number {
    return Math.min(this.settings.prefetch, this.#init.engine.capabilities.unsettledMax)
  }
}

/** Stands between the engine and a consumer that begins after it; what goes wrong in the consumer ends the consumer alone. */
class SinkRelay implements DeliverySink {
  #consumer: Consumer | undefined = undefined
  #closedBy: PosthasteError | undefined = undefined

  connect(consumer: Consumer): void {
    this.#consumer = consumer
    if (this.#closedBy !== undefined) consumer.closed(this.#closedBy)
  }

  readonly deliver: DeliverySink['deliver'] = (batch) => this.#guarded((consumer) => consumer.deliver(batch))
  readonly lost: DeliverySink['lost'] = (tags, reason) => this.#guarded((consumer) => consumer.lost(tags, reason))
  readonly closed: DeliverySink['closed'] = (cause) => {
    this.#closedBy = cause
    this.#consumer?.closed(cause)
  }

  #guarded(run: (consumer: Consumer) => void): void {
    const consumer = this.#consumer
    if (consumer === undefined) return
    try {
      run(consumer)
    } catch (thrown) {
      consumer.closed(PosthasteError.from(thrown, 'INTERNAL', 'the consumer broke'))
    }
  }
}
