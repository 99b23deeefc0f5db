import {
  type AckSettlement,
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type EngineHost,
  type EngineSubscription,
  type Outcome,
  PosthasteError,
  SerialTable,
  type Settlement,
  type SubscriptionSpec,
  succeeded,
} from '@posthaste/contracts'
import { refusal } from './admission.ts'
import { Batcher } from './batcher.ts'
import type { Connection } from './connection.ts'
import { deliveryLost, failed } from './errors.ts'
import { batchMax } from './features.ts'
import { positionOf, type Ref } from './names.ts'
import { packRecord, RecordReader } from './record-fields.ts'
import type { ServerTime } from './server-time.ts'
import { Packer, type Unpacker } from './wire.ts'

/** What a member needs from its engine. */
export interface ConsumerNeeds {
  readonly connection: Connection
  readonly time: ServerTime
  readonly host: EngineHost
  readonly timeoutMs: number
  /** The member's name at the server; undefined while it has none, because its session has ended. */
  memberOf(consumer: Consumer): string | undefined
  /** The server says that it knows no such member: its session was ended by others. */
  unknown(): void
  /** It stops; resolves once it has left. */
  leave(consumer: Consumer): Promise<void>
}

/** About so many bytes come with one claim. */
const claimBytesMax = 2_097_152

/** One subscription: claims on credit, and settles in batches. */
export class Consumer implements EngineSubscription {
  readonly spec: SubscriptionSpec
  readonly sink: DeliverySink
  readonly #needs: ConsumerNeeds
  readonly #settlements: Batcher<Settlement>
  readonly #reader: RecordReader
  readonly #packer = new Packer()
  /** What is delivered and not settled. */
  readonly #unsettled = new SerialTable<Ref>()
  #credit = 0
  #lastTag: DeliveryTag = 0
  #isActive = true
  #claiming: Promise<void> | undefined
  /** Somebody said that there may be more. */
  #isWoken = false
  /** The answer of a claim was lost: the server may hold something for us that we do not know of. */
  #isUnsure = false
  #stopping: Promise<void> | undefined

  constructor(spec: SubscriptionSpec, sink: DeliverySink, needs: ConsumerNeeds) {
    this.spec = spec
    this.sink = sink
    this.#needs = needs
    this.#reader = new RecordReader(spec.channel)
    this.#settlements = this.#settler()
  }

  // ── Claiming ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Credit is a positive integer; anything else grants nothing. */
  grant(credit: number): void {
    if (!this.#isActive || !Number.isInteger(credit) || credit <= 0) return
    this.#credit += credit
    this.wake()
  }

  /** There may be something to claim. */
  wake(): void {
    this.#isWoken = true
    if (!this.#isActive || this.#credit === 0 || this.#claiming !== undefined || !this.#needs.connection.isUp) return
    this.#claiming = this.#claimAll().finally(() => {
      this.#claiming = undefined
      // What was told in the turn in which the claiming ended.
      if (this.#isWoken) this.wake()
    })
  }

  /** Claims until there is no credit, or nothing more. */
  async #claimAll(): Promise<void> {
    try {
      for (let goesOn = true; goesOn && this.#isActive && this.#credit > 0; ) {
        this.#isWoken = false
        const member = this.#needs.memberOf(this)
        if (member === undefined) return
        if (this.#isUnsure && !(await this.#reconcile(member))) return
        goesOn = (await this.#claim(member)) || this.#isWoken
      }
    } catch (thrown) {
      this.#isWoken = false
      const cause = PosthasteError.from(thrown, 'INTERNAL', 'claim')
      if (this.#needs.connection.isUp)
        this.#needs.host.log.warn('redis did not hand over, trying again', { ...this.#names, cause })
    }
  }

  get #names() {
    const { channel, group } = this.spec
    return { channel, group }
  }

  /** @returns whether there may be more at once */
  async #claim(member: string): Promise<boolean> {
    const { channel, group } = this.spec
    const wanted = Math.min(this.#credit, batchMax)
    const packed = this.#packer.array(5).text(channel).text(group).text(member)
    this.#isUnsure = true
    const { reply } = await this.#needs.connection.call('claim', packed.number(wanted).number(claimBytesMax).take())
    this.#isUnsure = false
    // What came after it was told to stop, or that all is lost, goes back when it leaves.
    if (!this.#isActive || this.#needs.memberOf(this) !== member) return false
    if (reply.isNo()) {
      this.#needs.unknown()
      return false
    }
    reply.array()
    const hasMore = reply.number() === 1
    const count = reply.array()
    if (count > 0) this.#deliver(count, reply)
    return hasMore || count === wanted
  }

  #deliver(count: number, reply: Unpacker): void {
    const batch = new Array<Delivery>(count)
    for (let at = 0; at < count; at += 1) {
      reply.array()
      const ref = reply.ascii()
      const attempt = reply.number()
      const vanished = reply.number()
      const { record, storedAtMs } = this.#reader.read(reply, ref)
      const tag = ++this.#lastTag
      this.#unsettled.set(tag, ref)
      batch[at] = new ClaimedDelivery({
        tag,
        record,
        attempt,
        vanished,
        storedAtMs: this.#needs.time.atHome(storedAtMs),
        ref,
      })
    }
    this.#credit -= count
    this.sink.deliver(batch)
  }

  /** Gives back what the server holds for this member and the member has never seen. @returns whether it is a member */
  async #reconcile(member: string): Promise<boolean> {
    const { channel, group } = this.spec
    const { connection } = this.#needs
    const { reply } = await connection.call(
      'holding',
      this.#packer.array(3).text(channel).text(group).text(member).take(),
    )
    if (reply.isNo()) {
      this.#needs.unknown()
      return false
    }
    const known = new Set(this.#unsettled.values())
    const unseen = (reply.value() as readonly Ref[]).filter((ref) => !known.has(ref))
    for (let at = 0; at < unseen.length; at += batchMax) {
      const some = unseen.slice(at, at + batchMax)
      const packed = this.#packer.array(4).text(channel).text(group).text(member).array(some.length)
      for (const ref of some) packed.array(5).text(ref).number(1).number(0).number(0).number(0)
      await connection.call('settle', packed.take())
    }
    this.#isUnsure = false
    return true
  }

  // ── Settling ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    return this.#settlements.add(batch)
  }

  #settler(): Batcher<Settlement> {
    const { connection, host, timeoutMs } = this.#needs
    const packer = new Packer()
    return new Batcher<Settlement>({
      clock: host.clock,
      timeoutMs,
      underWayMax: 1,
      pack: (into, settlement) => this.#pack(into, settlement),
      send: async (count, packed, deadlineMs) => {
        const { channel, group } = this.spec
        const member = this.#needs.memberOf(this) ?? ''
        const call = packer.array(4).text(channel).text(group).text(member).array(count).packed(packed).take()
        const { reply, repeated } = await connection.call('settle', call, { deadlineMs, repeatable: true })
        const isMember = !reply.isNo()
        const allWell = isMember && !reply.isArray()
        if (isMember && !allWell) reply.array()
        return ({ tag }) => {
          const outcome = allWell ? succeeded : isMember ? this.#outcome(reply, repeated) : deliveryLost
          return this.#ended(tag, outcome)
        }
      },
    })
  }

  #pack(into: Packer, settlement: Settlement): Outcome | undefined {
    const ref = this.#unsettled.get(settlement.tag)
    if (ref === undefined) return deliveryLost
    if (settlement.kind === 'ack') return this.#packAck(into, ref, settlement)
    const { countsAttempt, holdKey = false, visibleAtMs } = settlement
    into
      .array(5)
      .text(ref)
      .number(1)
      .number(countsAttempt ? 1 : 0)
      .number(holdKey ? 1 : 0)
    into.number(this.#needs.time.atServer(visibleAtMs))
    return undefined
  }

  #packAck(into: Packer, ref: Ref, { publish = [] }: AckSettlement): Outcome | undefined {
    for (const record of publish) {
      const error = refusal(record)
      if (error !== undefined) return { ok: false, error }
    }
    if (publish.length === 0) into.text(ref)
    else into.array(3).text(ref).number(0).array(publish.length)
    for (const record of publish) packRecord(into, record, this.#needs.time.atServer(record.dueAtMs))
    return undefined
  }

  /**
   * What one settlement came to. One that was sent before and whose delivery the server does not know any more has ended
   * by itself: nobody else can have had the delivery while the member stayed the same.
   */
  #outcome(reply: Unpacker, repeated: boolean): Outcome {
    if (reply.isText()) return failed('NOT_FOUND', reply.text())
    return reply.number() === 0 || repeated ? succeeded : deliveryLost
  }

  #ended(tag: DeliveryTag, outcome: Outcome): Outcome {
    const isLost = !outcome.ok && outcome.error.code === 'DELIVERY_LOST'
    if ((outcome.ok || isLost) && !this.#unsettled.delete(tag)) return deliveryLost
    return outcome
  }

  /** Does nothing: deliveries stay while the process shows signs of life, and it does that by itself. */
  async extend(): Promise<void> {}

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The session has ended: everything belongs to somebody else. */
  loseAll(reason: PosthasteError): void {
    this.#isUnsure = false
    const tags = this.#unsettled.serials()
    this.#unsettled.clear()
    if (tags.length > 0 && this.#isActive) this.sink.lost(tags, reason)
  }

  /** It cannot go on: the group is gone. */
  end(cause: PosthasteError): void {
    if (!this.#isActive) return
    this.#isActive = false
    this.#unsettled.clear()
    this.sink.closed(cause)
  }

  stop(): Promise<void> {
    this.#isActive = false
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #stop(): Promise<void> {
    await this.#settlements.idle()
    await this.#claiming
    this.#unsettled.clear()
    await this.#needs.leave(this)
  }
}

/** A delivery whose position is made when it is asked for. */
class ClaimedDelivery implements Delivery {
  readonly tag: DeliveryTag
  readonly record: Delivery['record']
  readonly attempt: number
  readonly vanished: number
  readonly storedAtMs: number
  readonly #ref: Ref

  constructor({
    ref,
    ...rest
  }: Omit<Delivery, 'position' | 'vanished'> & { readonly vanished: number; readonly ref: Ref }) {
    this.tag = rest.tag
    this.record = rest.record
    this.attempt = rest.attempt
    this.vanished = rest.vanished
    this.storedAtMs = rest.storedAtMs
    this.#ref = ref
  }

  get position(): string {
    return positionOf(this.#ref)
  }
}
