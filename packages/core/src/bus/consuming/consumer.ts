import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type EngineCapabilities,
  type EngineSubscription,
  type MaybePromise,
  PosthasteError,
  type Settlement,
  type Timer,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterDeps, FilterStack } from '../../pipeline/stack.ts'
import { composeDeadLetter } from '../dead-letters/dead-letter.ts'
import type { Outbox } from './context.ts'
import { Fifo } from './fifo.ts'
import type { Ending, Handling } from './handling.ts'
import { KeyChains } from './key-chains.ts'
import { afterFailure, exhausted, type Failure, isExhaustedOnArrival, type LadderRules } from './ladder.ts'
import { Readiness } from './readiness.ts'
import { Settler } from './settler.ts'
import type { SubscriptionCounters } from './stats.ts'
import { Work } from './work.ts'

/** What a consumer is made of. */
export interface ConsumerInit {
  /** The engine's name of the group. */
  readonly group: string
  /** The name of the channel of its dead letters. */
  readonly deadLetters: string
  /** Most handlers at a time. */
  readonly concurrency: number
  /** Most unsettled deliveries at a time. */
  readonly prefetch: number
  readonly handling: Handling
  readonly stack: FilterStack
  readonly rules: LadderRules
  readonly capabilities: EngineCapabilities
  readonly counters: SubscriptionCounters
  readonly deps: FilterDeps
  /** It ended by itself; everything unsettled is lost. Told once, and not after a drain. */
  onEnded(cause: PosthasteError): void
}

/** `ended`: whatever still happens is dropped. */
type Phase = 'running' | 'draining' | 'ended'

/** After the grace, how long the engine may take for the last settlements, in milliseconds. */
const settleGraceMs = 1_000

/**
 * The core's side of one membership in a group: takes deliveries, gives each its turn, and settles it. It lives as long
 * as the engine's subscription; a new one begins with a new consumer.
 *
 * Order: deliveries of one key form a chain, and only its head has its turn. The next one follows when nothing about the
 * head can change the order any more: at once after a plain acknowledgement, otherwise (a retry, a dead letter, messages
 * that leave with the acknowledgement) when the engine has the settlement. What stands behind a head that goes back to
 * the engine goes back with it, in the same batch.
 *
 * Hot path: {@link Consumer.deliver}, the pump and {@link Settler}: no promise, closure or array per message of a
 * synchronous handler.
 */
export class Consumer implements DeliverySink {
  readonly #init: ConsumerInit
  readonly #member: EngineSubscription
  readonly #settler: Settler
  readonly #readiness: Readiness
  readonly #unsettled = new Map<DeliveryTag, Work>()
  readonly #chains = new KeyChains<Work>()
  readonly #ready = new Fifo<Work>()
  #phase: Phase = 'running'
  #running = 0
  /** Settled and not granted again yet. */
  #credit = 0
  #pumping = false
  #leaseTimer: Timer | undefined = undefined
  #whenQuiet: (() => void)[] = []

  constructor(init: ConsumerInit, member: EngineSubscription) {
    this.#init = init
    this.#member = member
    this.#settler = new Settler(member, init.deps, {
      settled: (works) => this.#settled(works),
      lost: (work) => this.#lostSettlement(work),
      refused: (work, settlement, error) => this.#refused(work, settlement, error),
      broke: (thrown) => this.#broke(thrown),
    })
    this.#readiness = new Readiness(init.stack, init.deps, () => this.#resume())
    this.#credit = init.prefetch
  }

  /** Lets the engine deliver. */
  begin(): void {
    if (this.#phase !== 'running') return
    this.#keepLeases()
    this.#grant()
  }

  get running(): number {
    return this.#running
  }

  get unsettled(): number {
    return this.#unsettled.size
  }

  // ── From the engine ─────────────────────────────────────────────────────────────────────────────────────────────

  deliver(batch: readonly Delivery[]): void {
    if (this.#phase === 'ended') return
    const { counters } = this.#init
    for (const delivery of batch) {
      counters.delivered += 1
      if (delivery.attempt > 1) counters.redelivered += 1
      const work = new Work(delivery)
      this.#unsettled.set(delivery.tag, work)
      if (this.#chains.enter(work)) this.#turn(work)
    }
  }

  lost(tags: readonly DeliveryTag[], reason: PosthasteError): void {
    for (const tag of tags) {
      const work = this.#unsettled.get(tag)
      if (work === undefined) continue
      const was = work.state
      this.#forget(work)
      // A handler that runs keeps its share of the credit until it ends, so that prefetch stays a bound on memory.
      if (was === 'waiting') this.#credit += 1
      work.cancel?.cancel(reason)
    }
    this.#grant()
  }

  closed(cause: PosthasteError): void {
    if (this.#phase === 'ended') return
    this.#end()
    for (const work of this.#unsettled.values()) {
      this.#forget(work)
      work.cancel?.cancel(cause)
    }
    this.#init.onEnded(cause)
    this.#tellQuiet()
  }

  // ── Life cycle ──────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes nothing on any more: hands back what has not begun, lets handlers end for up to `graceMs`, then cancels them
   * and hands their messages back too. Resolves when the engine has all of it, or after another second. May be called
   * again with less grace.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#phase === 'ended') return
    this.#phase = 'draining'
    this.#readiness.close()
    for (let work = this.#ready.shift(); work !== undefined; work = this.#ready.shift()) this.#turn(work)
    await this.quiet(graceMs)
    const reason = new PosthasteError('CANCELLED', 'shutting down')
    for (const work of this.#unsettled.values()) {
      if (work.state !== 'running') continue
      this.#handBack(work)
      work.cancel?.cancel(reason)
    }
    if (this.#settler.unanswered > 0) await this.quiet(settleGraceMs, () => this.#settler.unanswered === 0)
    this.#end()
  }

  /** Resolves when no handler runs and nothing is left to settle, and after `timeoutMs` in any case. */
  quiet(timeoutMs: number, isQuiet = () => this.#isQuiet()): Promise<void> {
    if (isQuiet()) return Promise.resolve()
    return new Promise((resolve) => {
      const timer = this.#init.deps.timers.set(timeoutMs, () => {
        this.#whenQuiet = this.#whenQuiet.filter((other) => other !== check)
        resolve()
      })
      const check = (): void => {
        if (!isQuiet()) return
        this.#whenQuiet = this.#whenQuiet.filter((other) => other !== check)
        timer.cancel()
        resolve()
      }
      this.#whenQuiet.push(check)
    })
  }

  #isQuiet(): boolean {
    return this.#phase === 'ended' || (this.#running === 0 && this.#settler.unanswered === 0)
  }

  #end(): void {
    this.#phase = 'ended'
    this.#settler.close()
    this.#readiness.close()
    this.#leaseTimer?.cancel()
    this.#tellQuiet()
  }

  /** A bug of the core's own: ends this membership as if the engine had, so that a new one can begin. */
  #broke(thrown: unknown): void {
    this.closed(PosthasteError.from(thrown, 'INTERNAL', `the consumer of ${this.#init.deps.target} broke`))
  }

  #keepLeases(): void {
    const { capabilities, deps } = this.#init
    if (capabilities.leaseMs === Number.POSITIVE_INFINITY) return
    this.#leaseTimer = deps.timers.set(capabilities.leaseMs / 3, () => {
      this.#keepLeases()
      if (this.#unsettled.size === 0) return
      this.#member.extend([...this.#unsettled.keys()]).catch((error) => {
        deps.log.warn('leases were not extended', { target: deps.target, error })
      })
    })
  }

  // ── Turns ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A delivery has become the first of its key. */
  #turn(work: Work): void {
    if (work.state === 'gone') this.#giveWay(work)
    else if (this.#phase === 'draining') this.#handBack(work)
    else {
      this.#ready.push(work)
      this.#schedule()
    }
  }

  /** Handlers run in a turn of their own, not inside the engine's call of `deliver`. */
  #schedule(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      try {
        this.#pump()
      } catch (thrown) {
        this.#broke(thrown)
      } finally {
        this.#pumping = false
      }
    })
  }

  #pump(): void {
    const { concurrency } = this.#init
    while (this.#phase === 'running' && this.#running < concurrency && this.#ready.length > 0) {
      if (!this.#readiness.ready) return
      const work = this.#ready.shift()!
      if (work.state === 'gone') this.#giveWay(work)
      else this.#begin(work)
    }
  }

  #begin(work: Work): void {
    const unfit = this.#unfit(work)
    if (unfit !== undefined) {
      this.#bury(work, unfit)
      return
    }
    work.state = 'running'
    this.#running += 1
    const ending: MaybePromise<Ending> = this.#init.handling.handle(work)
    if (isPromiseLike(ending)) ending.then((later) => this.#finishLater(work, later))
    else this.#finish(work, ending)
  }

  /** Why a delivery is not even begun. */
  #unfit({ delivery: { attempt, record } }: Work): PosthasteError | undefined {
    const { rules, deps } = this.#init
    if (isExhaustedOnArrival(attempt, rules.ladder)) return exhausted(attempt)
    if (record.expiresAtMs === undefined || record.expiresAtMs > deps.clock.nowMs()) return undefined
    return new PosthasteError('MESSAGE_EXPIRED', `it expired before ${deps.target} could handle it`)
  }

  #finishLater(work: Work, ending: Ending): void {
    try {
      this.#finish(work, ending)
      this.#pump()
      this.#tellQuiet()
    } catch (thrown) {
      this.#broke(thrown)
    }
  }

  #finish(work: Work, ending: Ending): void {
    this.#running -= 1
    work.cancel?.release()
    if (this.#phase === 'ended') return
    if (work.state === 'gone') {
      this.#credit += 1
      this.#grant()
      this.#giveWay(work)
    } else if (work.state === 'running') {
      if (ending.kind === 'done') this.#acknowledge(work, ending.outbox)
      else this.#fail(work, ending.failure)
    }
    // Otherwise it was handed back while it ran.
  }

  /** The next of the key has its turn. Does nothing for work that has given way before. */
  #pass(work: Work): void {
    const next = this.#chains.leave(work)
    if (next !== undefined) this.#turn(next)
  }

  /** A lost delivery comes again, and what stands behind it must come after it. */
  #giveWay(work: Work): void {
    this.#handBackBehind(work)
    this.#pass(work)
  }

  // ── Settlements ─────────────────────────────────────────────────────────────────────────────────────────────────

  #acknowledge(work: Work, outbox: Outbox): void {
    this.#settle(work, { kind: 'ack', tag: work.delivery.tag, publish: outbox })
    if (outbox === undefined) this.#pass(work)
  }

  #fail(work: Work, failure: Failure): void {
    const { rules, deps } = this.#init
    const { attempt } = work.delivery
    const follows = afterFailure(failure, attempt, rules)
    if (follows.kind === 'deadLetter') this.#bury(work, follows.error)
    else if (follows.kind === 'ignore') {
      work.end = 'ignored'
      this.#acknowledge(work, undefined)
    } else {
      deps.log.debug('to be delivered again', {
        target: deps.target,
        id: work.record.id,
        attempt,
        ...follows,
        error: failure.error,
      })
      this.#release(work, follows)
    }
  }

  #release(work: Work, how: { readonly kind: 'retry' | 'handBack'; readonly afterMs: number }): void {
    const { capabilities, deps } = this.#init
    const later = capabilities.delay === 'native' && how.afterMs > 0
    work.end = how.kind === 'retry' ? 'retried' : 'handedBack'
    this.#settle(work, {
      kind: 'release',
      tag: work.delivery.tag,
      countsAttempt: how.kind === 'retry',
      visibleAtMs: later ? Math.ceil(deps.clock.nowMs() + how.afterMs) : undefined,
      holdKey: work.key !== undefined && capabilities.holdKey === 'native',
    })
    this.#handBackBehind(work)
  }

  #handBack(work: Work): void {
    work.end = 'handedBack'
    this.#settle(work, { kind: 'release', tag: work.delivery.tag, countsAttempt: false })
    this.#handBackBehind(work)
  }

  #handBackBehind(head: Work): void {
    for (const work of this.#chains.takeBehind(head)) {
      if (work.state === 'gone') continue
      work.end = 'handedBack'
      // The engine may already have delivered the head again; what it held for the head, it must go on holding.
      const holdKey = work.record.id === head.record.id && this.#init.capabilities.holdKey === 'native'
      this.#settle(work, { kind: 'release', tag: work.delivery.tag, countsAttempt: false, holdKey })
    }
  }

  #bury(work: Work, error: PosthasteError): void {
    const { deps } = this.#init
    const { id } = work.record
    deps.log.warn('to the dead letters', { target: deps.target, id, attempt: work.delivery.attempt, error })
    this.#settle(work, this.#deathOf(work, error))
  }

  #deathOf(work: Work, error: PosthasteError): Settlement {
    const { group, deadLetters: channel, capabilities, deps } = this.#init
    const death = { error, group, channel, atMs: deps.clock.nowMs(), headerBytesMax: capabilities.headerBytesMax }
    work.end = 'deadLettered'
    return { kind: 'ack', tag: work.delivery.tag, publish: [composeDeadLetter(work.delivery, death)] }
  }

  #settle(work: Work, settlement: Settlement): void {
    work.state = 'settling'
    this.#settler.add(work, settlement)
  }

  #settled(works: readonly Work[]): void {
    const { counters } = this.#init
    for (const work of works) {
      if (this.#unsettled.delete(work.delivery.tag)) counters[work.end] += 1
      // What has come in behind a released head was on its way before the engine held the key.
      if (work.end === 'retried' || work.end === 'handedBack') this.#handBackBehind(work)
      this.#pass(work)
    }
    this.#credit += works.length
    this.#grant()
    this.#tellQuiet()
  }

  #lostSettlement(work: Work): void {
    if (this.#unsettled.has(work.delivery.tag)) this.#forget(work)
    this.#credit += 1
    this.#grant()
    this.#giveWay(work)
    this.#tellQuiet()
  }

  /** What the handler publishes can never be stored: a failure of the message. A dead letter has to be, some day. */
  #refused(work: Work, settlement: Settlement, error: PosthasteError): Settlement {
    return work.end === 'acked' && settlement.kind === 'ack' ? this.#deathOf(work, error) : settlement
  }

  #forget(work: Work): void {
    this.#unsettled.delete(work.delivery.tag)
    this.#init.counters.lost += 1
    work.state = 'gone'
  }

  // ── Credit ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #grant(): void {
    if (this.#credit === 0 || this.#phase !== 'running' || !this.#readiness.ready) return
    const credit = this.#credit
    this.#credit = 0
    this.#member.grant(credit)
  }

  #resume(): void {
    this.#grant()
    this.#schedule()
  }

  #tellQuiet(): void {
    for (const check of this.#whenQuiet) check()
  }
}
