import {
  type DeliverySink,
  type DeliveryTag,
  type EngineCapabilities,
  type EngineSubscription,
  type Outcome,
  PosthasteError,
  type Settlement,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import { deliveryLost, notOpen, unavailable } from './errors.ts'
import { Pipeline } from './pipeline.ts'
import type { Presence, PresenceListener } from './presence.ts'
import { packParcel } from './protocol/calls.ts'
import {
  fromBroker,
  fromClient,
  readDeliveries,
  runsOf,
  SettlementWriter,
  type SubscribeBeginning,
} from './protocol/consuming.ts'
import { readFailures, receivedError, type SentError } from './protocol/errors.ts'
import { streams } from './protocol/methods.ts'
import { Reader } from './protocol/reader.ts'
import { Writer } from './protocol/writer.ts'
import { refusalOfAll } from './refusals.ts'

/** What a subscription needs of its engine. */
export interface ConsumerNeeds {
  readonly presence: Presence
  readonly timeoutMs: number
  readonly capabilities: EngineCapabilities
  /** Unique in this process. */
  readonly number: number
  /** It has ended. */
  readonly left: (consumer: Consumer) => void
}

/** Messages of settlements that may be under way. */
const roundsUnderWayMax = 64

/** One subscription: deliveries come over a stream of its own, grants and settlements go over it in batches. */
export class Consumer implements EngineSubscription, PresenceListener {
  readonly spec: SubscriptionSpec
  readonly #sink: DeliverySink
  readonly #needs: ConsumerNeeds
  readonly #settlements: Pipeline<Settlement>
  readonly #writer = new Writer()
  /** What is delivered and not settled, by our tags, ascending. */
  readonly #unsettled = new Set<DeliveryTag>()
  /** Deliveries that may still come. */
  #credit = 0
  /** Granted, and not told to the broker. */
  #untold = 0
  #isScheduled = false
  /** The broker's tags begin at 1 with each session. */
  #tagBase = 0
  #lastTag = 0
  #stream: LinkStream | undefined
  #isJoined = false
  #state: 'active' | 'stopping' | 'ended' = 'active'
  #goesOn = false
  #joined: { resolve(): void; reject(error: PosthasteError): void } | undefined
  #stopped: () => void = () => {}
  #stopping: Promise<void> | undefined
  #unlisten: () => void = () => {}

  constructor(spec: SubscriptionSpec, sink: DeliverySink, needs: ConsumerNeeds) {
    this.spec = spec
    this.#sink = sink
    this.#needs = needs
    this.#settlements = this.#settler()
  }

  /** Joins the group. @throws NOT_FOUND PERMISSION_DENIED UNAVAILABLE */
  async join(): Promise<void> {
    const { presence, timeoutMs } = this.#needs
    await presence.ready(timeoutMs)
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.#joined = { resolve, reject }
    this.#unlisten = presence.listen(this)
    const timer = presence.host.clock.setTimer(timeoutMs, () => {
      // It may join yet, and would stay a member.
      this.#sayStop()
      this.#end(unavailable('joining took too long'))
    })
    if (presence.isAttached) this.attached(false)
    await promise.finally(() => timer.cancel())
  }

  // ── Deliveries ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Credit is a positive whole number; anything else grants nothing. */
  grant(credit: number): void {
    if (this.#state !== 'active' || !Number.isInteger(credit) || credit <= 0) return
    this.#credit += credit
    this.#untold += credit
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#tellCredit()
    })
  }

  #tellCredit(): void {
    const stream = this.#stream
    if (!this.#isJoined || stream === undefined || this.#untold === 0) return
    this.#writer.byte(fromClient.grant)
    this.#writer.varint(this.#untold)
    this.#untold = 0
    stream.send(this.#writer.take())
  }

  /** Hot path. */
  #deliver(reader: Reader): void {
    const { presence } = this.#needs
    const view = { channel: this.spec.channel, tagBase: this.#tagBase, shiftMs: -presence.time.aheadMs }
    const batch = readDeliveries(reader, view)
    // What comes after it was told to stop goes back when it leaves.
    if (this.#state !== 'active') return
    for (let at = 0; at < batch.length; at++) this.#unsettled.add(batch[at]!.tag)
    this.#lastTag = Math.max(this.#lastTag, batch.at(-1)?.tag ?? 0)
    this.#credit -= batch.length
    this.#sink.deliver(batch)
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Hot path: not a promise of its own around that of the pipeline. */
  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const isKnown = this.#isJoined || batch.some(({ tag }) => this.#unsettled.has(tag))
    if (this.#state === 'ended' || !isKnown) return Promise.resolve(batch.map(() => deliveryLost))
    return this.#settlements.add(batch)
  }

  #settler(): Pipeline<Settlement> {
    const { presence, timeoutMs, capabilities } = this.#needs
    const writer = new Writer()
    const each = new SettlementWriter(writer, this.spec.channel)
    const { time } = presence
    return new Pipeline({
      clock: presence.host.clock,
      timeoutMs,
      underWayMax: roundsUnderWayMax,
      refuse: (settlement) => this.#refuse(settlement, capabilities),
      begin(number) {
        writer.discard()
        each.begin(number)
      },
      pack: (settlement) => each.add(atServer(settlement, time.aheadMs), settlement.tag - this.#tagBase),
      packedBytes: () => writer.length,
      send: () => this.#stream?.send(writer.take()) ?? false,
      settled: (settlement, outcome, repeated) => this.#settled(settlement, outcome, repeated),
    })
  }

  #refuse(settlement: Settlement, capabilities: EngineCapabilities): Outcome | undefined {
    if (!this.#unsettled.has(settlement.tag)) return deliveryLost
    if (settlement.kind !== 'ack' || settlement.publish === undefined) return undefined
    return refusalOfAll(settlement.publish, capabilities)
  }

  /**
   * What one settlement came to. One that was sent before and whose delivery the broker does not know any more has ended by
   * itself: nobody else can have had the delivery while the session stayed the same.
   */
  #settled({ tag }: Settlement, outcome: Outcome, repeated: boolean): Outcome {
    const isLost = !outcome.ok && outcome.error.code === 'DELIVERY_LOST'
    if (!outcome.ok && !isLost) return outcome
    if (!this.#unsettled.delete(tag)) return deliveryLost
    return isLost && repeated ? { ok: true } : outcome
  }

  /** Does nothing: deliveries stay while the process shows signs of life, and it does that by itself. */
  async extend(): Promise<void> {}

  // ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────

  attached(resumed: boolean): void {
    if (this.#isOver) return
    const { presence, number } = this.#needs
    const { channel, group, member } = this.spec
    const goesOn = this.#goesOn && resumed
    // Of a new session all deliveries are new.
    if (!goesOn) this.#tagBase = this.#lastTag
    const holding = goesOn ? runsOf([...this.#unsettled].map((tag) => tag - this.#tagBase)) : undefined
    const beginning: SubscribeBeginning = {
      ...{ session: presence.session, subscription: number, channel, group, member, credit: this.#credit },
      ...(holding === undefined ? {} : { holding }),
    }
    this.#untold = 0
    const over = (error: PosthasteError): void => {
      if (this.#stream !== stream) return
      this.detached()
      // The connection may be lost, too, and the presence has not heard of it.
      const isPassing = error.code === 'UNAVAILABLE' || error.code === 'OVERLOADED'
      if (!isPassing || error.verdict === 'permanent') this.#end(error)
      presence.soon(() => {
        if (this.#stream === undefined && presence.isAttached && this.#state !== 'ended') this.attached(true)
      })
    }
    const stream = presence.stream(streams.subscribe, packParcel(beginning), {
      sink: {
        message: (body) => {
          if (this.#stream === stream) this.#told(new Reader(body))
        },
        ended: () => {
          // A broker that stops waits for it.
          stream.end()
          over(unavailable('the broker has ended the subscription'))
        },
        failed: over,
        writable: () => this.#settlements.writable(),
      },
    })
    this.#stream = stream
  }

  detached(): void {
    this.#stream = undefined
    this.#isJoined = false
    this.#settlements.detach()
  }

  lost(reason: PosthasteError): void {
    this.#goesOn = false
    this.#settlements.fail(deliveryLost)
    const tags = [...this.#unsettled]
    this.#unsettled.clear()
    if (this.#state !== 'active') this.#end(reason)
    else if (tags.length > 0) this.#sink.lost(tags, reason)
  }

  draining(): void {}

  #told(reader: Reader): void {
    const what = reader.byte()
    if (what === fromBroker.deliver) this.#deliver(reader)
    else if (what === fromBroker.settled) while (!reader.isAtEnd) this.#settlements.answered(readFailures(reader))
    else if (what === fromBroker.joined) this.#hasJoined()
    else if (what === fromBroker.recall) this.#sink.recall?.([...this.#unsettled])
    else if (what === fromBroker.closed) this.#end(receivedError(JSON.parse(reader.sizedText()) as SentError))
    else if (what === fromBroker.stopped) this.#end(notOpen())
  }

  #hasJoined(): void {
    this.#isJoined = true
    this.#goesOn = true
    this.#joined?.resolve()
    this.#joined = undefined
    this.#settlements.attach(this.#settlements.answeredBatches)
    this.#tellCredit()
    if (this.#state === 'stopping') this.#sayStop()
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    if (this.#state === 'ended') return
    this.#state = 'stopping'
    await this.#settlements.idle()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#stopped = resolve
    if (this.#isOver) return
    // Without a connection it leaves with the session, or as soon as there is one.
    if (this.#isJoined) {
      this.#sayStop()
      await promise
    } else this.#needs.presence.host.log.debug('the broker does not know yet that a member left', this.#names)
  }

  get #isOver(): boolean {
    return this.#state === 'ended'
  }

  get #names() {
    const { channel, group, member } = this.spec
    return { channel, group, member }
  }

  #sayStop(): void {
    this.#stream?.send(Uint8Array.of(fromClient.stop))
  }

  /** Nothing of it goes on. */
  abandon(): void {
    this.#settlements.fail({ ok: false, error: notOpen() })
    this.#end(notOpen())
  }

  #end(cause: PosthasteError): void {
    if (this.#state === 'ended') return
    const was = this.#state
    this.#state = 'ended'
    this.#unlisten()
    this.#stream?.end()
    this.#stream = undefined
    this.#isJoined = false
    this.#unsettled.clear()
    this.#settlements.fail(deliveryLost)
    this.#needs.left(this)
    this.#stopped()
    if (this.#joined !== undefined) this.#joined.reject(cause)
    else if (was === 'active' && !PosthasteError.is(cause, 'ENGINE_CLOSED')) this.#sink.closed(cause)
    this.#joined = undefined
  }
}

/** With times of the broker's clock. */
function atServer(settlement: Settlement, aheadMs: number): Settlement {
  if (aheadMs === 0) return settlement
  if (settlement.kind === 'release')
    return settlement.visibleAtMs === undefined
      ? settlement
      : { ...settlement, visibleAtMs: settlement.visibleAtMs + aheadMs }
  if (settlement.publish === undefined) return settlement
  const publish = settlement.publish.map((record) =>
    record.dueAtMs === undefined ? record : { ...record, dueAtMs: record.dueAtMs + aheadMs },
  )
  return { ...settlement, publish }
}
