import { type Engine, type EventContract, type EventPattern, PosthasteError, type Timer } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { backoffCeilingMs } from '../../resilience/retry/backoff.ts'
import type { HandlerSettings } from '../consuming/options.ts'
import type { Subscription } from '../consuming/subscription.ts'
import { checkRequirements } from '../requirements.ts'

/** What a subscription to a pattern is made of. */
export interface PatternSubscriptionInit {
  readonly pattern: EventPattern
  readonly settings: HandlerSettings
  /** The engine's name of the group; the settings' own, but for a broadcast. */
  readonly engineGroup: string
  readonly engine: Engine
  /** Makes the subscription to one channel, which the bus then drains and counts like any other. */
  readonly follow: (contract: EventContract) => Subscription
  /** Its target names the pattern and the group: `shop.order.*@audit`. */
  readonly deps: FilterDeps
}

const retryBackoff = { baseMs: 200, factor: 2, maxMs: 30_000 }

/**
 * One handler for every channel that matches a pattern: the engine makes the group on each, from the channel's first
 * message on, and there is a subscription of its own for each, so that prefetch, concurrency, breaker and dead letters
 * are those of a channel.
 */
export class PatternSubscription {
  readonly pattern: EventPattern
  readonly group: string
  readonly #init: PatternSubscriptionInit
  readonly #followed = new Set<string>()
  #endWatch: (() => void) | undefined
  #retry: Timer | undefined
  #failures = 0
  #isStopped = false

  constructor(init: PatternSubscriptionInit) {
    this.pattern = init.pattern
    this.group = init.settings.group
    this.#init = init
  }

  /**
   * Makes the groups, joins those of the channels that there are, and from then on of each that appears.
   * @throws CAPABILITY_UNSUPPORTED; what the engine fails with
   */
  async start(): Promise<void> {
    const { engine, settings, engineGroup: group } = this.#init
    const { from, lifetime } = settings
    const { pattern } = this.pattern
    checkRequirements([{ contract: this.pattern, settings }], engine)
    const { patterns } = engine
    if (patterns === undefined) throw noPatterns(engine)
    await patterns.declare({ pattern, group, from, ...(lifetime === 'temporary' && { lifetime }) })
    const joined: Promise<void>[] = []
    const endWatch = await patterns.watch(pattern, (channel) => void joined.push(this.#follow(channel)))
    if (this.#isStopped) return endWatch()
    this.#endWatch = endWatch
    await Promise.all(joined)
  }

  /** The same in the background, for as long as it takes. */
  async startLater(): Promise<void> {
    if (this.#isStopped) return
    try {
      await this.start()
    } catch (error) {
      if (!this.#isStopped) this.#tryAgain(error)
    }
  }

  /** Follows no further channel; the subscriptions there are go on until they are drained. Idempotent. */
  stop(): void {
    this.#isStopped = true
    this.#retry?.cancel()
    this.#endWatch?.()
  }

  /** Resolves after the first try to join, never rejects: from then on it is the subscription's. */
  async #follow(channel: string): Promise<void> {
    if (this.#isStopped || this.#followed.has(channel)) return
    this.#followed.add(channel)
    const { follow, deps } = this.#init
    try {
      await follow({ kind: 'event', type: channel, data: this.pattern.data }).startLater()
    } catch (error) {
      // The application edits the stack of each subscription, and what it says may be wrong for one event alone.
      deps.log.error('an event of a pattern is not followed', { target: deps.target, channel, error })
    }
  }

  #tryAgain(error: unknown): void {
    const { deps } = this.#init
    this.#failures += 1
    const delayMs = backoffCeilingMs(retryBackoff, this.#failures) * (0.5 + deps.random() / 2)
    deps.log.error('a pattern could not be followed and is tried again', { target: deps.target, delayMs, error })
    this.#retry = deps.timers.set(delayMs, () => void this.startLater())
  }
}

function noPatterns({ name }: Engine): PosthasteError {
  return new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${name} cannot follow patterns`, {
    remedy: 'Subscribe to each event, or use an engine with patterns.',
  })
}
