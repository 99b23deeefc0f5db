import {
  type DeliverySink,
  type EngineSubscription,
  type Outcome,
  PosthasteError,
  type ReleaseSettlement,
  SerialTable,
  type Settlement,
  succeeded,
  type Timer,
} from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { AckWindow } from './ack-window.ts'
import { Early } from './early.ts'
import { deliveryLost } from './errors.ts'
import { copyOf, deliveryOf, type Held, heldOf, type Return } from './held.ts'
import { InHand } from './in-hand.ts'
import { type MemberDeps, type MemberFigures, openQueues, type Seat } from './membership.ts'
import { isQuestion } from './queue-channels.ts'
import { Receipts } from './receipts.ts'
import type { Received } from './record-codec.ts'
import { Reopener } from './reopener.ts'
import { type Ending, publishes, publishFirst } from './settling.ts'
import { onGone } from './timely.ts'

/**
 * A member of a group of an unkeyed channel: one of several consumers of one queue. The server's prefetch is as large as
 * the credit, so that what this member may not have yet stands there for the others.
 */
export class Competing implements EngineSubscription {
  readonly #deps: MemberDeps
  readonly #seat: Seat
  readonly #sink: DeliverySink
  readonly #queue: string
  readonly #reopener: Reopener
  readonly #early: Early
  readonly #held = new SerialTable<Held>()
  readonly #inHand = new InHand()
  #buffer: Held[] = []
  #session: Session | undefined
  #credit = 0
  #lastTag = 0
  #settling = 0
  #onSettled: (() => void) | undefined
  #isFlushing = false
  #isHurried = false
  #stopped: Promise<void> | undefined
  #idle: Timer | undefined

  constructor(deps: MemberDeps, seat: Seat, sink: DeliverySink) {
    this.#deps = deps
    this.#seat = seat
    this.#sink = sink
    this.#queue = deps.catalogue.queueOf(seat.channel, seat.spec.group, 0)
    this.#early = new Early(deps.clock, (held) => this.#take(held))
    this.#reopener = new Reopener(
      deps,
      () => this.#open(),
      (cause) => this.#end(cause),
    )
  }

  /** Begins to consume, as soon as there is a connection. */
  start(): void {
    this.#reopener.again()
  }

  get figures(): MemberFigures {
    return { inFlight: this.#held.size, buffered: this.#buffer.length, early: this.#early.size }
  }

  grant(credit: number): void {
    if (this.#stopped !== undefined || !Number.isInteger(credit) || credit < 1) return
    this.#credit += credit
    this.#idle?.cancel()
    this.#idle = undefined
    this.#widen()
    this.#flushSoon()
  }

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const session = this.#session
    if (session === undefined || this.#stopped !== undefined) return batch.map(() => deliveryLost)
    // Taken out at once: settling the same twice finds nothing, also while the first is under way.
    const taken = batch.map(({ tag }) => {
      const held = this.#held.get(tag)
      this.#held.delete(tag)
      if (held !== undefined) this.#inHand.delete(held)
      return held
    })
    this.#settling += 1
    try {
      if (batch.some(publishes)) {
        const endings = batch.map((settlement, at) => ({ settlement, held: taken[at] }))
        return await this.#settleAfterPublishing(endings, session)
      }
      this.#ack(session, taken)
      const isRead = await session.receipts.read()
      return taken.map((held) => (held === undefined || !isRead ? deliveryLost : succeeded))
    } finally {
      this.#settling -= 1
      if (this.#settling === 0) this.#onSettled?.()
    }
  }

  /** Does nothing: deliveries stay while the member lives. */
  async extend(): Promise<void> {}

  stop(): Promise<void> {
    this.#stopped ??= this.#leave()
    return this.#stopped
  }

  // ── Consuming ─────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    await this.#seat.prepare()
    const channel = await openQueues(this.#deps.channels, this.#seat, [this.#queue])
    if (this.#stopped !== undefined) return channel.close()
    const session: Session = {
      ...{ channel, acks: new AckWindow(), prefetch: 0, consumerTag: undefined, isWidening: false },
      receipts: new Receipts(channel, () => session.prefetch),
    }
    this.#session = session
    onGone(channel, () => this.#lost(session))
    // The server takes the consumer away with the queue; looking for it says whether it is gone for good.
    channel.on('basic.cancel', () => void channel.close())
    this.#widen()
  }

  /** Consumes with a prefetch that leaves room for all credit, and not at all as long as there was none. A prefetch cannot be changed, so the consumer is. */
  #widen(): void {
    const session = this.#session
    if (session === undefined || session.isWidening || this.#credit === 0 || this.#wanted <= session.prefetch) return
    session.isWidening = true
    this.#consume(session).then(
      () => {
        session.isWidening = false
        this.#widen()
        this.#flushSoon()
      },
      // Its channel is closed, and that is told where channels close.
      () => {},
    )
  }

  async #consume(session: Session): Promise<void> {
    const { channel, consumerTag, prefetch } = session
    const growth = prefetch === 0 ? 0 : Math.ceil(prefetch * 1.5)
    session.prefetch = Math.min(prefetchMax, Math.max(this.#wanted, growth))
    const [, consumer] = await Promise.all([
      channel.basicQos({ prefetchCount: session.prefetch }),
      channel.basicConsume({ queue: this.#queue }, (message) => this.#received(session, message as Received)),
    ])
    session.consumerTag = consumer.consumerTag
    if (consumerTag !== undefined) await channel.basicCancel(consumerTag)
  }

  get #wanted(): number {
    return Math.min(prefetchMax, this.#credit + this.#held.size)
  }

  #received(session: Session, message: Received): void {
    if (session !== this.#session) return
    const held = heldOf(message, this.#seat.spec.channel)
    if (isQuestion(message) || !this.#inHand.add(held)) this.#ack(session, [held])
    else this.#take(held)
  }

  #take(held: Held): void {
    if (this.#early.keeps(held)) return
    this.#buffer.push(held)
    if (held.vanished > 1) this.#hurry()
    this.#flushSoon()
  }

  #flushSoon(): void {
    if (this.#isFlushing || this.#buffer.length === 0) return
    if (this.#credit === 0) {
      this.#watchIdle()
      return
    }
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#stopped !== undefined) return
    const due = this.#buffer.splice(0, this.#credit)
    if (due.length === 0) return
    this.#credit -= due.length
    const batch = due.map((held) => {
      const tag = ++this.#lastTag
      this.#held.set(tag, held)
      return deliveryOf(tag, held)
    })
    this.#sink.deliver(batch)
    this.#flushSoon()
  }

  /** What came and may not be handed over is wanted elsewhere: after a while without credit it goes back. */
  #watchIdle(): void {
    this.#idle ??= this.#deps.clock.setTimer(this.#isHurried ? hurriedMs : idleMs, () => {
      this.#idle = undefined
      void this.#handBackBuffered()
    })
  }

  /** What ended other processes may soon run in this one, and its end would count for what is only fetched ahead. */
  #hurry(): void {
    this.#isHurried = true
    this.#idle?.cancel()
    this.#idle = undefined
  }

  async #handBackBuffered(): Promise<void> {
    const session = this.#session
    if (session === undefined || this.#credit > 0 || session.isWidening || this.#buffer.length === 0) return
    const { channel, consumerTag } = session
    session.consumerTag = undefined
    session.isWidening = true
    this.#isHurried = false
    try {
      if (consumerTag !== undefined) await channel.basicCancel(consumerTag)
      session.prefetch = 0
      await afterReceived()
      if (session === this.#session) this.#keep(session, await this.#handBack(session, this.#buffer.splice(0)))
    } catch {
      // Its channel is closed: all of it is back already.
    }
    session.isWidening = false
    this.#widen()
    this.#flushSoon()
  }

  /** What could not go back stays in its place, and goes later or is handed over here. */
  #keep(session: Session, all: readonly Held[]): void {
    if (session !== this.#session || !session.channel.active) return
    for (const held of all) this.#inHand.add(held)
    this.#buffer.unshift(...all)
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async #settleAfterPublishing(endings: readonly Ending[], session: Session): Promise<readonly Outcome[]> {
    const outcomes = await publishFirst(this.#deps.publisher, endings, (release) => this.#returnOf(release))
    if (session !== this.#session) return outcomes.map(() => deliveryLost)
    const done = endings.filter((_, at) => outcomes[at]?.ok)
    this.#ack(
      session,
      done.map(({ held }) => held),
    )
    if (!(await session.receipts.read())) return outcomes.map(() => deliveryLost)
    // Nothing is acknowledged of what could not be published: it may be settled again.
    for (const [at, { settlement, held }] of endings.entries()) {
      if (held === undefined || outcomes[at]?.ok === true) continue
      this.#inHand.add(held)
      this.#held.set(settlement.tag, held)
    }
    return outcomes
  }

  #returnOf({ countsAttempt, visibleAtMs }: Omit<ReleaseSettlement, 'kind' | 'tag'>): Return {
    const waitMs = visibleAtMs === undefined ? 0 : visibleAtMs - this.#deps.clock.nowMs()
    return { target: this.#deps.catalogue.queueTarget(this.#queue, waitMs), countsAttempt, visibleAtMs }
  }

  #ack({ channel, acks }: Session, taken: readonly (Held | undefined)[]): void {
    const tags: number[] = []
    for (const held of taken) if (held !== undefined) tags.push(held.deliveryTag)
    if (tags.length === 0 || !channel.active) return
    acks.settle(tags, (deliveryTag, multiple) => channel.basicAck({ deliveryTag, multiple }))
  }

  /**
   * Copies take the places of what was never handed over, or is given up: the server would count it as lost. Tells what could
   * not go back.
   */
  async #handBack(session: Session, all: readonly Held[]): Promise<readonly Held[]> {
    if (all.length === 0) return all
    const copies = all.map((held) => {
      this.#inHand.delete(held)
      const { visibleAtMs } = held.decoded
      const waits = visibleAtMs > this.#deps.clock.nowMs() ? visibleAtMs : undefined
      return copyOf(held, this.#returnOf({ countsAttempt: false, visibleAtMs: waits }))
    })
    const outcomes = await this.#deps.publisher.send(copies).catch(() => [])
    this.#ack(
      session,
      all.filter((_, at) => outcomes[at]?.ok),
    )
    return all.filter((_, at) => outcomes[at]?.ok !== true)
  }

  // ── Ends ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  #lost(session: Session): void {
    if (session !== this.#session) return
    this.#forget()
    const tags = this.#held.serials()
    this.#held.clear()
    if (this.#stopped !== undefined) return
    // The cause is told to the connection after its channels.
    queueMicrotask(() => {
      if (tags.length > 0) this.#sink.lost(tags, lostError(this.#seat, this.#deps.link.cause))
      this.#reopener.again()
    })
  }

  #forget(): void {
    this.#session = undefined
    this.#buffer = []
    this.#inHand.clear()
    this.#early.clear()
    this.#idle?.cancel()
    this.#idle = undefined
  }

  #end(cause: PosthasteError): void {
    if (this.#stopped !== undefined) return
    this.#stopped = this.#seat.onStopped()
    this.#sink.closed(cause)
  }

  async #leave(): Promise<void> {
    this.#reopener.stop()
    this.#deps.channels.left([this.#queue])
    await this.#settlesAnswered()
    const session = this.#session
    try {
      if (session?.channel.active) await this.#giveBack(session)
    } catch (cause) {
      this.#deps.log.debug('rabbitmq: a member left without handing back', { cause })
    }
    this.#forget()
    this.#held.clear()
    await session?.channel.close()
    await this.#seat.onStopped()
  }

  /** As with a key range, the server has to be brought to remember all acknowledgements before the channel goes. */
  async #giveBack(session: Session): Promise<void> {
    const { channel, consumerTag } = session
    if (consumerTag !== undefined) await channel.basicCancel(consumerTag)
    await afterReceived()
    if (this.#seat.isLastOfTemporary()) return
    await channel.queueDeclare({ queue: this.#queue, passive: true })
    const all = [...this.#held.values(), ...this.#buffer, ...this.#early.clear()]
    this.#held.clear()
    this.#buffer = []
    await this.#handBack(session, all)
  }

  async #settlesAnswered(): Promise<void> {
    if (this.#settling > 0) await new Promise<void>((resolve) => (this.#onSettled = resolve))
  }
}

/** One channel that a member consumes over, as long as that lives. */
interface Session {
  readonly channel: Channel
  readonly acks: AckWindow
  readonly receipts: Receipts
  prefetch: number
  consumerTag: string | undefined
  isWidening: boolean
}

/** What the protocol can say. */
const prefetchMax = 65_535
const idleMs = 1_000
/** The server counts what it sends to a consumer that is just being cancelled: so nothing is to be on its way. */
const hurriedMs = 25

/** Why what a member had is somebody else's. */
export function lostError({ spec }: Seat, cause: PosthasteError): PosthasteError {
  const what = `the deliveries of ${spec.member} in ${spec.channel}@${spec.group} went back to the server`
  return new PosthasteError('DELIVERY_LOST', `rabbitmq: ${what}`, { cause })
}

/** The client hands messages over in a turn of their own: those that were read before are there afterwards. */
export function afterReceived(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
