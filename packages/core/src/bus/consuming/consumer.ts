import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type EngineCapabilities,
  type EngineSubscription,
  type OutgoingRecord,
  PosthasteError,
  SerialTable,
  type Settlement,
} from '@posthaste/contracts'
import type { FilterDeps, FilterStack } from '../../pipeline/stack.ts'
import type { Outbox } from './context.ts'
import type { Ending } from './ending.ts'
import { KeyChains } from './key-chains.ts'
import { Leases } from './leases.ts'
import { Quiet } from './quiet.ts'
import { Readiness } from './readiness.ts'
import { Runner, type RunnerInit } from './runner.ts'
import { Settler } from './settler.ts'
import type { SubscriptionCounters } from './stats.ts'
import { Work } from './work.ts'

/** What a consumer is made of. */
export interface ConsumerInit extends RunnerInit {
  /** Most unsettled deliveries at a time. */
  readonly prefetch: number
  /** Which messages are handled, where the engine does not filter; undefined for all. Never throws. */
  readonly accepts: ((record: OutgoingRecord) => boolean) | undefined
  readonly stack: FilterStack
  readonly capabilities: EngineCapabilities
  readonly counters: SubscriptionCounters
  readonly deps: FilterDeps
  /** It ended by itself; everything unsettled is lost. Told once, and not after a drain. */
  onEnded(cause: PosthasteError): void
}

/**
 * `leaving`: what still comes in stays untouched until the engine takes it back, with everything that is unsettled.
 * `ended`: whatever still happens is dropped.
 */
type Phase = 'running' | 'draining' | 'leaving' | 'ended'

/** After the grace, how long the engine may take for the last settlements, in milliseconds. */
const settleGraceMs = 1_000

/**
 * The core's side of one membership in a group: takes deliveries, gives each its turn, and settles it. It lives as long
 * as the engine's subscription; a new one begins with a new consumer.
 *
 * Order: deliveries of one key form a chain, and only its head has its turn. The next one follows when nothing about the
 * head can change the order any more: at once after a plain acknowledgement, otherwise (a retry, a dead letter, messages
 * that leave with the acknowledgement) when the engine has the settlement, and where messages are handled at most once,
 * when the handler has ended. What stands behind a head that goes back to the engine goes back with it, in the same batch.
 *
 * Hot path: {@link Consumer.deliver}, {@link Runner} and {@link Settler}: no promise, closure or array per message of a
 * synchronous handler.
 */
export class Consumer implements DeliverySink {
  readonly #init: ConsumerInit
  readonly #member: EngineSubscription
  readonly #settler: Settler
  readonly #readiness: Readiness
  readonly #runner: Runner
  readonly #leases: Leases
  readonly #quiet: Quiet
  readonly #unsettled = new SerialTable<Work>()
  readonly #chains = new KeyChains<Work>()
  #phase: Phase = 'running'
  /** Settled and not granted again yet. */
  #credit = 0

  constructor(init: ConsumerInit, member: EngineSubscription) {
    const { deps, capabilities } = init
    this.#init = init
    this.#member = member
    this.#settler = new Settler(member, deps, {
      settled: (works) => this.#settled(works),
      lost: (work) => this.#lostSettlement(work),
      refused: (work, settlement, error) => init.aftermath.afterRefusal(work, settlement, error),
      broke: (thrown) => this.#broke(thrown),
    })
    this.#readiness = new Readiness(init.stack, deps, () => this.#resume())
    this.#runner = new Runner(init, deps.timers, {
      mayStart: () => this.#phase === 'running' && this.#readiness.ready,
      isFull: () => this.#unsettled.size - this.#settler.unanswered >= init.prefetch,
      gone: (work) => this.#giveWay(work),
      unfit: (work, settlement) => this.#conclude(work, settlement),
      ended: (work, ending) => this.#conclusion(work, ending),
      acknowledge: (work) => this.#settle(work, { kind: 'ack', tag: work.delivery.tag }),
      left: (work) => this.#pass(work),
      look: () => this.#quiet.look(),
      broke: (thrown) => this.#broke(thrown),
    })
    const tags = (): DeliveryTag[] => this.#unsettled.serials()
    this.#leases = new Leases({ member, leaseMs: capabilities.leaseMs, tags }, deps)
    this.#quiet = new Quiet(deps.timers)
    this.#credit = init.prefetch
  }

  /** Lets the engine deliver. */
  begin(): void {
    if (this.#phase !== 'running') return
    this.#leases.keep()
    this.#grant()
  }

  /** Handlers that run; a batch's counts as one. */
  get running(): number {
    return this.#runner.running
  }

  get unsettled(): number {
    return this.#unsettled.size
  }

  // ── From the engine ─────────────────────────────────────────────────────────────────────────────────────────────

  deliver(batch: readonly Delivery[]): void {
    // What was handed back may come again, for as long as there is credit.
    if (this.#phase === 'leaving' || this.#phase === 'ended') return
    const { counters, accepts, aftermath } = this.#init
    for (const delivery of batch) {
      counters.delivered += 1
      if (delivery.attempt > 1) counters.redelivered += 1
      const work = new Work(delivery)
      this.#unsettled.set(delivery.tag, work)
      // What is not wanted neither waits for its key nor has it wait.
      if (accepts !== undefined && !accepts(delivery.record)) this.#settle(work, aftermath.drop(work, 'filtered'))
      else if (this.#chains.enter(work)) this.#turn(work)
    }
    this.#runner.gather()
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

  recall(tags: readonly DeliveryTag[]): void {
    if (this.#phase !== 'running') return
    for (const tag of tags) {
      const work = this.#unsettled.get(tag)
      if (work?.state === 'waiting') work.recalled = true
    }
    for (const work of this.#runner.takeRecalled()) this.#turn(work)
  }

  closed(cause: PosthasteError): void {
    if (this.#phase === 'ended') return
    this.#end()
    for (const work of this.#unsettled.values()) {
      this.#forget(work)
      work.cancel?.cancel(cause)
    }
    this.#init.onEnded(cause)
    this.#quiet.look()
  }

  // ── Life cycle ──────────────────────────────────────────────────────────────────────────────────────────────────

  /**
   * Takes nothing on any more: hands back what has not begun, lets handlers end for up to `graceMs`, then cancels them
   * and hands their messages back too. Resolves when the engine has all of it, or after another second. May be called
   * again with less grace.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#phase === 'ended') return
    if (this.#phase === 'running') this.#beginDraining()
    await this.quiet(graceMs)
    // One that was given less grace is at it.
    if (this.#phase === 'leaving') return
    if (this.#phase === 'draining') this.#phase = 'leaving'
    const reason = new PosthasteError('CANCELLED', 'shutting down')
    for (const work of this.#unsettled.values()) {
      if (work.state !== 'running') continue
      this.#handBack(work)
      work.cancel?.cancel(reason)
    }
    this.#runner.cancel(reason)
    if (this.#settler.unanswered > 0) await this.quiet(settleGraceMs, () => this.#settler.unanswered === 0)
    this.#end()
  }

  #beginDraining(): void {
    this.#phase = 'draining'
    this.#readiness.close()
    for (const work of this.#runner.close()) this.#turn(work)
  }

  /** Resolves when no handler runs and nothing is left to settle, and after `timeoutMs` in any case. */
  quiet(timeoutMs: number, isQuiet = () => this.#isQuiet()): Promise<void> {
    return this.#quiet.wait(timeoutMs, isQuiet)
  }

  /** Whoever requested a message has given up: its handler is told, and it is not tried again. */
  abandon(id: string, reason: PosthasteError): void {
    for (const work of this.#unsettled.values()) {
      if (work.record.id !== id) continue
      work.unwanted = true
      work.cancel?.cancel(reason)
    }
  }

  #isQuiet(): boolean {
    return this.#phase === 'ended' || (this.running === 0 && this.#settler.unanswered === 0)
  }

  #end(): void {
    this.#phase = 'ended'
    this.#runner.end()
    this.#settler.close()
    this.#readiness.close()
    this.#leases.close()
    this.#quiet.look()
  }

  /** A bug of the core's own: ends this membership as if the engine had, so that a new one can begin. */
  #broke(thrown: unknown): void {
    this.closed(PosthasteError.from(thrown, 'INTERNAL', `the consumer of ${this.#init.deps.target} broke`))
  }

  // ── Turns ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A delivery has become the first of its key. */
  #turn(work: Work): void {
    if (work.state === 'gone') this.#giveWay(work)
    else if (work.recalled || this.#phase === 'draining' || this.#phase === 'leaving') this.#handBack(work)
    else this.#runner.add(work)
  }

  /** A handling is over. */
  #conclusion(work: Work, ending: Ending): void {
    work.cancel?.release()
    if (this.#phase === 'ended') return
    if (work.state === 'gone') {
      this.#credit += 1
      this.#grant()
      this.#giveWay(work)
    } else if (work.state === 'running') {
      if (ending.kind === 'done') this.#acknowledge(work, ending.outbox)
      else this.#conclude(work, this.#init.aftermath.afterFailure(work, ending.failure))
    }
    // Otherwise it was handed back while it ran.
  }

  /** The next of the key has its turn. Does nothing for work that has given way before. */
  #pass(work: Work): void {
    const next = this.#chains.leave(work)
    if (next !== undefined) this.#turn(next)
  }

  /**
   * A lost delivery comes again, and what stands behind it must come after it. Until the engine has that back, the first of it
   * keeps the key: what is on its way meanwhile comes behind it.
   */
  #giveWay(lost: Work): void {
    let next = this.#chains.leave(lost)
    while (next?.state === 'gone') next = this.#chains.leave(next)
    if (next === undefined) return
    this.#settle(next, this.#handedBackBehind(lost, next))
    this.#handBackBehind(next, lost)
  }

  // ── Settlements ─────────────────────────────────────────────────────────────────────────────────────────────────

  #acknowledge(work: Work, outbox: Outbox): void {
    this.#settle(work, { kind: 'ack', tag: work.delivery.tag, publish: outbox })
    if (outbox === undefined) this.#pass(work)
  }

  #conclude(work: Work, settlement: Settlement): void {
    this.#settle(work, settlement)
    if (settlement.kind === 'release') this.#handBackBehind(work)
    else if (settlement.publish === undefined) this.#pass(work)
  }

  #handBack(work: Work): void {
    this.#conclude(work, this.#init.aftermath.handBack(work))
  }

  /** @param before what all of it stands behind, where that is not the head any more */
  #handBackBehind(head: Work, before = head): void {
    for (const work of this.#chains.takeBehind(head))
      if (work.state !== 'gone') this.#settle(work, this.#handedBackBehind(before, work))
  }

  #handedBackBehind(head: Work, work: Work): Settlement {
    const { aftermath, capabilities } = this.#init
    // The engine may already have delivered the head again; what it held for the head, it must go on holding.
    const holdKey = work.record.id === head.record.id && capabilities.holdKey === 'native'
    return aftermath.handBack(work, holdKey)
  }

  #settle(work: Work, settlement: Settlement): void {
    work.state = 'settling'
    this.#settler.add(work, settlement)
  }

  #settled(works: readonly Work[]): void {
    const { counters } = this.#init
    for (const work of works) {
      const held = this.#unsettled.delete(work.delivery.tag)
      if (held) counters[work.end] += 1
      if (this.#runner.stopAcking(work) && held && work.end === 'acked') {
        this.#runner.enter(work)
        continue
      }
      // What has come in behind a released head was on its way before the engine held the key.
      if (work.end === 'retried' || work.end === 'handedBack') this.#handBackBehind(work)
      this.#pass(work)
    }
    this.#credit += works.length
    this.#grant()
    this.#quiet.look()
  }

  #lostSettlement(work: Work): void {
    this.#runner.stopAcking(work)
    if (this.#unsettled.get(work.delivery.tag) !== undefined) this.#forget(work)
    this.#credit += 1
    this.#grant()
    this.#giveWay(work)
    this.#quiet.look()
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
    this.#runner.schedule()
  }
}
