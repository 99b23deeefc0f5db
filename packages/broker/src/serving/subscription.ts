import {
  DeliveryWriter,
  fromBroker,
  fromClient,
  malformed,
  Reader,
  readSettlements,
  type SubscribeBeginning,
  sentError,
  Writer,
  writeOutcomes,
} from '@posthaste/broker/protocol'
import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type Outcome,
  PosthasteError,
  type Settlement,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import type { DurableSubscription } from '@posthaste/embedded'
import type { LinkStream } from '@posthaste/link/connection'
import type { Grants } from '../access/grants.ts'
import { denied, tooLarge } from './denied.ts'
import { InOrder } from './in-order.ts'
import type { Surroundings } from './surroundings.ts'

/** A message of deliveries is large enough with so many bytes, and never has more than so many of them. */
const messageBytesEnough = 64 * 1024
const messageDeliveriesMax = 1_024
/** Deliveries that the engine may hand over before the client has taken those before, and their bytes. */
const outstandingMax = 4_096
const outstandingBytes = 8 * 1024 * 1024
/** A body of so many bytes is not kept in memory once it is sent; a smaller one is not worth being read again. */
const largeBytes = 16 * 1024
/** Before anything is known about the size of records. */
const firstBytes = 32 * 1024

/** Whose subscription it is. */
export interface SubscriptionOf {
  readonly grants: Grants
  /** It has ended. */
  readonly left: () => void
}

/**
 * A member of a group, for a client. What it has been handed is with the engine's member: a client that comes back is sent
 * what it has not seen, under the same tags, and everything else stays as it was.
 */
export class Subscription implements DeliverySink {
  readonly spec: SubscriptionSpec
  readonly #of: SubscriptionOf
  readonly #around: Surroundings
  readonly #writer = new Writer()
  readonly #deliveries: DeliveryWriter
  #member: DurableSubscription | undefined
  #stream: LinkStream | undefined
  #answers = new InOrder(() => {})
  /** What is to be sent, oldest first, from a place on. */
  #outbox: Delivery[] = []
  #sent = 0
  #isWritable = false
  /** Granted by the client, and not passed on to the engine. */
  #credit = 0
  /** Granted to the engine, and not handed over. */
  #outstanding = 0
  #recordBytes = firstBytes
  #newestTag = 0
  /** Set when it drains: the tags from here on have not been sent, and are not. */
  #unsentFrom = 0
  #isDraining = false
  #isOver = false

  constructor(of: SubscriptionOf, spec: SubscriptionSpec, around: Surroundings) {
    this.spec = spec
    this.#of = of
    this.#around = around
    this.#deliveries = new DeliveryWriter(this.#writer, spec.channel)
  }

  /** Joins the group. @throws NOT_FOUND */
  async join(stream: LinkStream, { credit }: SubscribeBeginning): Promise<void> {
    this.#attach(stream)
    this.#credit = credit
    const { bytesInHandMax } = this.#of.grants.quota
    const member = await this.#around.engine.subscribe({ ...this.spec, bytesInHandMax }, this)
    this.#member = member
    // It was to leave while it joined.
    if (this.#isOver) return member.stop()
    this.#say(fromBroker.joined)
    this.#pass()
  }

  /** The client is back over another stream, and says what it has. */
  resume(stream: LinkStream, { credit, holding = [] }: SubscribeBeginning): void {
    this.#attach(stream)
    this.#say(fromBroker.joined)
    const unseen = outside([...(this.#member?.held() ?? [])], holding)
    this.#outbox = unseen
    this.#sent = 0
    // What it may be sent: some is with the engine already, and what it has not seen is on its way.
    this.#credit = credit - this.#outstanding - unseen.length
    this.#pump()
  }

  /** Whether it is what a client asks for that has not heard that it had joined. */
  hasJoinedAs({ channel, group, member }: SubscribeBeginning): boolean {
    const { spec } = this
    const isSame = channel === spec.channel && group === spec.group && member === spec.member
    return isSame && this.#member !== undefined && !this.#isOver
  }

  #attach(stream: LinkStream): void {
    this.#stream = stream
    this.#isWritable = true
    this.#answers = new InOrder((outcomes) => this.#answer(stream, outcomes))
  }

  /** Whether there is no connection over which its client could take part. */
  get isOrphan(): boolean {
    return this.#stream === undefined
  }

  /** @returns false where the stream was followed by another */
  detach(stream: LinkStream): boolean {
    if (this.#stream !== stream) return false
    this.#stream = undefined
    this.#isWritable = false
    // With the engine's member they are, and which of them the client has seen it says when it is back.
    this.#outbox = []
    this.#sent = 0
    return true
  }

  // ── From the client ───────────────────────────────────────────────────────────────────────────────────────────────

  heard(body: Uint8Array, stream: LinkStream): void {
    // Of a connection that was followed by another, over which the client says it again.
    if (this.#stream !== stream) {
      stream.consumed(body.byteLength)
      return
    }
    const reader = new Reader(body)
    const what = reader.byte()
    if (what === fromClient.settle) {
      reader.varint()
      this.#settle(readSettlements(reader, this.spec.channel), body.byteLength, stream)
      return
    }
    stream.consumed(body.byteLength)
    if (what === fromClient.grant) {
      this.#credit += reader.varint()
      this.#pass()
    } else if (what === fromClient.stop) void this.#leave()
    else throw malformed(`no client says ${what}`)
  }

  /** @param bytes of the message that they came in over the stream */
  #settle(settlements: readonly Settlement[], bytes: number, stream: LinkStream): void {
    const member = this.#member
    if (member === undefined) throw malformed('it settles before it has joined')
    this.#around.figures.settled += settlements.length
    const refusals = this.#refusals(settlements)
    const settled =
      refusals.size === 0
        ? member.settle(settlements)
        : member.settle(settlements.filter((each) => !refusals.has(each))).then((outcomes) => {
            let next = 0
            return settlements.map((each) => refusals.get(each) ?? outcomes[next++]!)
          })
    const answer: Promise<readonly Outcome[]> = settled.catch((thrown: unknown) => {
      const error = PosthasteError.from(thrown, 'INTERNAL', 'settling')
      return settlements.map(() => ({ ok: false, error }))
    })
    this.#answers.add(answer)
    const records = publishedBy(settlements)
    const credit = (): void => stream.consumed(bytes)
    if (records === 0) credit()
    else this.#of.grants.quota.took({ records, bytes }, answer, credit)
  }

  /** Who settles may publish along with it only what they might publish otherwise. */
  #refusals(settlements: readonly Settlement[]): ReadonlyMap<Settlement, Outcome> {
    const { permissions, user } = this.#of.grants
    const { bodyBytesMax } = this.#around.config.limits
    const refusals = new Map<Settlement, Outcome>()
    for (const settlement of settlements) {
      if (settlement.kind !== 'ack' || settlement.publish === undefined) continue
      const foreign = settlement.publish.find(({ channel }) => !permissions.may('publish', channel))
      const large = settlement.publish.find(({ body }) => body.byteLength > bodyBytesMax)
      if (foreign !== undefined)
        refusals.set(settlement, { ok: false, error: denied(user, 'publish', `to '${foreign.channel}'`) })
      else if (large !== undefined) refusals.set(settlement, { ok: false, error: tooLarge(large.id, bodyBytesMax) })
    }
    return refusals
  }

  async #leave(): Promise<void> {
    const stream = this.#stream
    await this.stop()
    stream?.send(Uint8Array.of(fromBroker.stopped))
    stream?.end()
  }

  /** The session ends: as `stop`, and the client hears so when it has heard how all went that it has settled. */
  async farewell(): Promise<void> {
    await this.stop()
    await this.#answers.idle()
    const stream = this.#stream
    this.#stream = undefined
    stream?.end()
  }

  // ── To the client ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** From the engine. Hot path. */
  deliver(batch: readonly Delivery[]): void {
    this.#outstanding -= batch.length
    this.#newestTag = batch.at(-1)?.tag ?? this.#newestTag
    this.#around.figures.delivered += batch.length
    // What comes while there is no stream is sent when there is one; and of what comes now that others were asked for, a later
    // one of a key could be handled before one that is on its way back.
    if (this.#stream === undefined || this.#isDraining) return
    if (this.#outbox.length === 0) this.#outbox = [...batch]
    else this.#outbox.push(...batch)
    this.#pump()
  }

  /** The stream takes more. */
  writable(stream: LinkStream): void {
    if (this.#stream !== stream) return
    this.#isWritable = true
    this.#pump()
  }

  #pump(): void {
    while (this.#isWritable && this.#sent < this.#outbox.length) this.#sendSome()
    if (this.#sent < this.#outbox.length) return
    this.#outbox = []
    this.#sent = 0
    this.#pass()
  }

  /** Sends deliveries whose tags follow each other. */
  #sendSome(): void {
    const outbox = this.#outbox
    const from = this.#sent
    const first = outbox[from]!.tag
    this.#deliveries.begin(first)
    let at = from
    while (at < outbox.length && at - from < messageDeliveriesMax && this.#writer.length < messageBytesEnough) {
      if (outbox[at]!.tag !== first + at - from || !this.#add(outbox[at]!)) break
      at++
    }
    if (at === from) {
      this.#skip(first)
      return
    }
    this.#sent = at
    const message = this.#writer.take()
    this.#recordBytes = Math.max(1, message.byteLength / (at - from))
    this.#isWritable = this.#stream?.send(message) ?? false
  }

  /** Into the message. @returns false where its body cannot be read again */
  #add(delivery: Delivery): boolean {
    // It may have been sent before, over a connection that is gone.
    if (delivery.record.body.byteLength === 0 && this.#member?.restore(delivery.tag) === false) return false
    this.#deliveries.add(delivery)
    if (delivery.record.body.byteLength >= largeBytes) this.#member?.letGo(delivery.tag)
    return true
  }

  /** What is damaged the engine takes back and puts aside. */
  #skip(tag: DeliveryTag): void {
    this.#writer.discard()
    this.#sent += 1
    this.#credit += 1
    const back = this.#member?.settle([{ kind: 'release', tag, countsAttempt: false }])
    back?.catch((cause: unknown) => this.#around.log.warn('a damaged record could not be put aside', { cause }))
  }

  /** Grants the engine what the client can be sent without much waiting here. */
  #pass(): void {
    if (this.#credit <= 0 || this.#isDraining || !this.#isWritable || this.#member === undefined) return
    const most = Math.max(1, Math.min(outstandingMax, Math.floor(outstandingBytes / this.#recordBytes)))
    const more = Math.min(this.#credit, most - this.#outstanding)
    if (more <= 0) return
    this.#credit -= more
    this.#outstanding += more
    this.#member.grant(more)
  }

  #answer(stream: LinkStream, outcomes: readonly Outcome[]): void {
    if (this.#stream !== stream) return
    this.#writer.byte(fromBroker.settled)
    writeOutcomes(this.#writer, outcomes)
    stream.send(this.#writer.take())
  }

  #say(what: number): void {
    this.#stream?.send(Uint8Array.of(what))
  }

  /** Embedded takes nothing away. */
  lost(): void {}

  /** The engine has failed: the client's core subscribes again. */
  closed(cause: PosthasteError): void {
    this.#isOver = true
    this.#of.left()
    const stream = this.#stream
    this.#stream = undefined
    if (stream === undefined) return
    this.#writer.byte(fromBroker.closed)
    this.#writer.sizedText(JSON.stringify(sentError(cause)))
    stream.send(this.#writer.take())
    stream.end()
  }

  /** The broker is about to stop: nothing more is sent, and what has not begun is asked for. */
  drain(): void {
    this.#isDraining = true
    this.#unsentFrom = this.#outbox[this.#sent]?.tag ?? this.#newestTag + 1
    this.#outbox = []
    this.#sent = 0
    this.#say(fromBroker.recall)
  }

  /** Whether a client that is to hand back what it has still has something. */
  get hasInHand(): boolean {
    for (const { tag } of this.#member?.held() ?? []) return tag < this.#unsentFrom
    return false
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What is unsettled goes back uncounted. */
  stop(): Promise<void> {
    return this.#end(this.#member?.stop())
  }

  /** What is unsettled counts. */
  vanish(): Promise<void> {
    return this.#end(this.#member?.vanish())
  }

  async #end(leaving: Promise<void> | undefined): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#outbox = []
    this.#sent = 0
    this.#of.left()
    await leaving?.catch((cause: unknown) => this.#around.log.warn('a member could not leave', { cause }))
  }
}

/** Records that are published along with settlements. */
function publishedBy(settlements: readonly Settlement[]): number {
  let records = 0
  for (const settlement of settlements)
    if (settlement.kind === 'ack' && settlement.publish !== undefined) records += settlement.publish.length
  return records
}

/** Deliveries whose tags are in no run `[first, count]`; both ascending. */
function outside(
  deliveries: readonly Delivery[],
  runs: readonly (readonly [first: number, count: number])[],
): Delivery[] {
  let next = 0
  return deliveries.filter(({ tag }) => {
    for (let run = runs[next]; run !== undefined && run[0] + run[1] <= tag; run = runs[next]) next++
    const run = runs[next]
    return run === undefined || tag < run[0]
  })
}
