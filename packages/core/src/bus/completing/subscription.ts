import {
  type AckSettlement,
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type EngineSubscription,
  type KeyRangeControl,
  type MaybePromise,
  type Outcome,
  PosthasteError,
  SerialTable,
  type Settlement,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import { Leases } from '../consuming/leases.ts'
import { Quiet } from '../consuming/quiet.ts'
import { deferredControl } from './deferred-control.ts'
import { Entry, inHandBefore, OwnDelivery } from './entry.ts'
import type { OwnFigures } from './figures.ts'
import { Isolation, type Suspect } from './isolation.ts'
import type { KeyRange, KeyRangeInit } from './key-range.ts'
import { LooseDeliveries } from './loose.ts'
import { MemberRanges } from './member-ranges.ts'
import { lostDelivery, merged, type OwnAnswer } from './outcomes.ts'
import { RawSettler } from './raw-settler.ts'
import type { CompletedSubscriptionInit } from './subscription-init.ts'

/** How long the engine is waited for, with the last notes and before figures, in milliseconds. */
const leaveMaxMs = 2_000

/**
 * Stands between the core and the subscription of an engine with key ranges, or of one that leaves suspects to the core.
 * What comes without a range passes through, and so does what is delivered once and acknowledged; what is to come again is
 * kept in the notes of its range and in memory.
 *
 * Tags above 0 are the engine's, those below are of hand-overs from memory.
 *
 * Hot path: deliveries and {@link CompletedSubscription.settle}, with one object for each delivery.
 */
export class CompletedSubscription implements EngineSubscription {
  readonly spec: SubscriptionSpec
  readonly #init: CompletedSubscriptionInit
  /** The engine may assign ranges before it has handed out its subscription. */
  readonly #joined: Promise<EngineSubscription>
  readonly #settler: RawSettler
  readonly #control: KeyRangeControl
  readonly #quiet: Quiet
  readonly #isolation: Isolation
  readonly #ranges: MemberRanges
  /** What the core has of key ranges, by its tags. */
  readonly #inHand = new SerialTable<Entry>()
  /** What it has of no range. */
  readonly #loose: LooseDeliveries
  #member: EngineSubscription | undefined
  #leases: Leases | undefined
  #attach: (member: EngineSubscription) => void = () => {}
  #state: 'reading' | 'stopping' | 'ended' = 'reading'
  /** What the core has granted, and nothing was handed over for. */
  #credit = 0
  /** What the engine was granted, and has delivered nothing for. */
  #rawCredit = 0
  /** Noted as handed over, and about to be. */
  #claimed: Entry[] = []
  #claiming = 0
  #lastTag = 0
  #isPlanned = false
  #end: Promise<void> | undefined

  constructor(init: CompletedSubscriptionInit) {
    this.spec = init.spec
    this.#init = init
    this.#joined = new Promise((resolve) => {
      this.#attach = resolve
    })
    this.#settler = new RawSettler(this.#joined, init.deps)
    this.#control = deferredControl(this.#joined, init.deps)
    const { timers } = init.deps
    this.#quiet = new Quiet(timers)
    const turn = (): void => this.#plan()
    this.#isolation = new Isolation({
      turns: init.turns,
      recall: () => init.sink.recall?.([...this.#inHand.serials(), ...this.#loose.tags]),
      isAlone: () => this.#isAlone(),
      ranges: () => this.#ranges,
      handOver: (suspect) => this.#handOverAlone(suspect),
      isHandedOver: (delivery) => this.#loose.has(delivery.tag),
      turn,
    })
    this.#ranges = new MemberRanges({
      ...{ sink: init.sink, deps: init.deps, quiet: this.#quiet, inHand: this.#inHand },
      range: this.#rangeInit(),
      isReading: () => this.#state === 'reading',
      isIdle: () => this.#claiming === 0 && this.#settler.isIdle,
      turn,
    })
    const mayMoreCome = (): boolean => this.#rawCredit > 0
    this.#loose = new LooseDeliveries({ isolation: this.#isolation, settler: this.#settler, timers, mayMoreCome, turn })
  }

  /** The engine has subscribed. To be called once, before anything is granted. */
  begin(member: EngineSubscription): void {
    const { leaseMs } = this.#init.capabilities
    const held = (): readonly Delivery[] => [...this.#ranges].flatMap(({ waiting }) => waiting)
    const tags = (): DeliveryTag[] => [...held(), ...this.#isolation.held].map(({ tag }) => tag)
    this.#member = member
    this.#attach(member)
    this.#leases = new Leases({ member, leaseMs, tags }, this.#init.deps)
    this.#leases.keep()
  }

  // ── From the engine ─────────────────────────────────────────────────────────────────────────────────────────────

  /** What the engine is given to deliver to. */
  get sink(): DeliverySink {
    return {
      deliver: (batch) => this.#deliver(batch),
      closed: (cause) => this.#closed(cause),
      lost: (tags, reason) => this.#lost(tags, reason),
      recall: (tags) => this.#init.sink.recall?.(tags),
      ranges: this.#ranges.sink,
    }
  }

  #deliver(batch: readonly Delivery[]): void {
    if (this.#state !== 'reading') return
    this.#rawCredit -= batch.length
    if (this.#ranges.size === 0 && this.#credit >= batch.length && this.#loose.takeAll(batch)) {
      this.#credit -= batch.length
      this.#init.sink.deliver(batch)
    } else this.#deliverEach(batch)
    if (this.#rawCredit < this.#credit) this.#plan()
  }

  #deliverEach(batch: readonly Delivery[]): void {
    const out: Delivery[] = []
    for (const delivery of batch) {
      const { range } = delivery
      if (range !== undefined) this.#take(delivery, this.#ranges.get(range), out)
      else if (this.#loose.take(delivery, this.#credit > 0)) {
        this.#credit -= 1
        out.push(delivery)
      }
    }
    if (out.length > 0) this.#init.sink.deliver(out)
  }

  #take(delivery: Delivery, range: KeyRange | undefined, out: Delivery[]): void {
    // It was given up or revoked meanwhile.
    if (range === undefined) return
    const entry = range.take(delivery)
    if (entry === undefined) this.#settler.acknowledge(delivery.tag, () => this.#plan())
    else if (entry.phase !== 'ready') return
    else if (entry.chain !== undefined) this.#plan()
    else if (this.#credit > 0 && !this.#isolation.isOn && range.isOpen) this.#handOver(entry, delivery, out)
    else {
      range.place(entry)
      this.#plan()
    }
  }

  #closed(cause: PosthasteError): void {
    if (this.#state === 'ended') return
    this.#finishAll(cause)
    this.#init.sink.closed(cause)
  }

  #lost(tags: readonly DeliveryTag[], reason: PosthasteError): void {
    const told: DeliveryTag[] = []
    const others = new Set<DeliveryTag>()
    for (const tag of tags) {
      const entry = this.#inHand.get(tag)
      if (entry?.raw !== undefined) {
        this.#inHand.delete(tag)
        entry.range.takenBack(entry)
        told.push(tag)
      } else if (this.#loose.delete(tag)) told.push(tag)
      else others.add(tag)
    }
    if (others.size > 0) {
      for (const range of this.#ranges) range.takeBackWaiting(others)
      this.#isolation.lost(others)
    }
    if (told.length > 0) this.#init.sink.lost(told, reason)
    this.#plan()
  }

  #rangeInit(): Omit<KeyRangeInit, 'name' | 'suspicion'> {
    const { reader, capabilities, parkedMax, deps } = this.#init
    return {
      ...{ channel: this.spec.channel, group: this.spec.group, reader, parkedMax, deps },
      tellsRedeliveries: capabilities.attempts !== 'none',
      control: this.#control,
      events: {
        turn: () => this.#plan(),
        acknowledge: (entry) => this.#acknowledgeParked(entry),
        before: (entry) => inHandBefore(entry, this.#inHand.values()),
        claimed: (entry) => {
          this.#claimed.push(entry)
          this.#plan()
        },
      },
    }
  }

  #acknowledgeParked(entry: Entry): void {
    const { raw, range } = entry
    if (raw === undefined) return
    this.#settler.acknowledge(raw.tag, () => {
      range.acknowledged(entry)
      this.#plan()
    })
  }

  // ── Turns ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** What may be done now is done in a turn of its own. */
  #plan(): void {
    if (this.#isPlanned) return
    this.#isPlanned = true
    queueMicrotask(() => {
      this.#isPlanned = false
      this.#turn()
      this.#quiet.look()
    })
  }

  #turn(): void {
    if (this.#state !== 'reading') {
      this.#claiming -= this.#claimed.length
      this.#claimed = []
      return
    }
    const out: Delivery[] = []
    for (const entry of this.#claimed.splice(0)) this.#handOverClaimed(entry, out)
    this.#takeTurns(out)
    if (out.length > 0) this.#init.sink.deliver(out)
    if (this.#isolation.isOn) {
      this.#isolation.look(this.#credit > 0)
      // What waited for it goes on.
      if (!this.#isolation.isOn) this.#plan()
    }
    this.#grantRaw()
  }

  #takeTurns(out: Delivery[]): void {
    const nowMs = this.#init.deps.clock.nowMs()
    for (const range of this.#ranges) {
      if (this.#credit === 0 || this.#isolation.isOn) return
      const entry = range.next(nowMs)
      if (entry === undefined) continue
      if (entry.isSuspect) {
        this.#isolation.begin(entry)
        return
      }
      if (entry.note !== undefined) this.#claim(entry)
      else if (entry.raw !== undefined) this.#handOver(entry, entry.raw, out)
      // Seen again before this loop ends.
      this.#ranges.pass(range)
    }
  }

  /** Hot path. */
  #handOver(entry: Entry, raw: Delivery, out: Delivery[]): void {
    this.#credit -= 1
    entry.range.handOver(entry)
    entry.tag = raw.tag
    this.#inHand.set(raw.tag, entry)
    out.push(raw.attempt === 1 && !raw.vanished ? raw : new OwnDelivery(entry))
  }

  #claim(entry: Entry): void {
    this.#credit -= 1
    this.#claiming += 1
    entry.range.claim(entry)
  }

  #handOverClaimed(entry: Entry, out: Delivery[]): void {
    this.#claiming -= 1
    if (entry.phase !== 'claiming' || !entry.range.isReading) {
      this.#credit += 1
      entry.range.unclaim(entry)
      return
    }
    this.#lastTag -= 1
    entry.tag = this.#lastTag
    entry.range.claimed(entry)
    this.#inHand.set(entry.tag, entry)
    out.push(new OwnDelivery(entry))
  }

  #handOverAlone(suspect: Suspect): void {
    if (suspect instanceof Entry) this.#claim(suspect)
    else {
      this.#credit -= 1
      this.#loose.add(suspect)
      this.#init.sink.deliver([suspect])
    }
  }

  #isAlone(): boolean {
    const isNothingInHand = this.#inHand.size === 0 && this.#loose.size === 0 && this.#claiming === 0
    return isNothingInHand && this.#settler.isIdle && this.#loose.isCalm
  }

  /** The engine may deliver what the core takes, and what waits here takes none of it. */
  #grantRaw(): void {
    if (this.#isolation.isOn || (this.#ranges.size === 0 && this.#loose.isShut)) return
    let wanted = this.#credit - this.#rawCredit
    for (const range of this.#ranges) wanted -= range.buffered
    wanted = Math.min(wanted, this.#loose.mayBeAsked - this.#rawCredit)
    if (wanted <= 0) return
    this.#rawCredit += wanted
    this.#member?.grant(wanted)
  }

  // ── From the core ───────────────────────────────────────────────────────────────────────────────────────────────

  grant(credit: number): void {
    this.#credit += credit
    this.#plan()
  }

  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    const isAllLoose = this.#ranges.size === 0 && this.#inHand.size === 0 && this.#state === 'reading'
    if (isAllLoose && batch.every(({ tag }) => this.#loose.has(tag))) return this.#settleRaw(batch)
    const raw: Settlement[] = []
    let own: OwnAnswer[] | undefined
    for (let at = 0; at < batch.length; at += 1) {
      const settlement = batch[at]!
      const answer = this.#settleOwn(settlement)
      if (answer === undefined) raw.push(settlement)
      else if (own === undefined) own = [{ at, answer }]
      else own.push({ at, answer })
    }
    const answered = raw.length === 0 ? Promise.resolve([]) : this.#settleRaw(raw)
    return own === undefined ? answered : merged(batch.length, answered, own)
  }

  /** Hot path. @returns undefined for what the engine has to answer */
  #settleOwn(settlement: Settlement): MaybePromise<Outcome> | undefined {
    const { tag } = settlement
    const entry = this.#inHand.get(tag)
    if (entry === undefined) return this.#loose.has(tag) ? undefined : lostDelivery(tag)
    if (entry.phase !== 'inHand' || this.#state !== 'reading') return lostDelivery(tag)
    if (settlement.kind === 'release') {
      this.#inHand.delete(tag)
      this.#plan()
      return entry.range.release(entry, settlement)
    }
    if (entry.note !== undefined) return this.#finish(entry, settlement)
    entry.phase = 'ending'
    return undefined
  }

  async #finish(entry: Entry, settlement: AckSettlement): Promise<Outcome> {
    const outcome = await entry.range.finish(entry, settlement)
    if (outcome.ok) this.#inHand.delete(entry.tag)
    this.#plan()
    return outcome
  }

  async #settleRaw(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    let outcomes: readonly Outcome[] = []
    try {
      outcomes = await (this.#member ?? (await this.#joined)).settle(batch)
      return outcomes
    } finally {
      for (let at = 0; at < batch.length; at += 1) this.#answered(batch[at]!.tag, outcomes[at])
      if (this.#isolation.isOn || this.#end !== undefined || this.#ranges.isAnyRecalled) this.#plan()
    }
  }

  #answered(tag: DeliveryTag, outcome: Outcome | undefined): void {
    const isOver = outcome?.ok || PosthasteError.is(outcome?.error, 'DELIVERY_LOST')
    if (isOver && this.#loose.size > 0 && this.#loose.delete(tag)) return
    const entry = this.#inHand.get(tag)
    if (entry?.phase !== 'ending') return
    if (isOver) {
      this.#inHand.delete(tag)
      entry.range.acknowledged(entry)
    } else entry.phase = 'inHand'
  }

  async extend(tags: readonly DeliveryTag[]): Promise<void> {
    const own = tags.filter((tag) => tag > 0)
    if (own.length > 0) await (await this.#joined).extend(own)
  }

  /** Resolves when nothing is noted that the engine counts too, or soon after. */
  caughtUp(): Promise<void> {
    return this.#quiet.wait(leaveMaxMs, () => this.#settler.isIdle)
  }

  /** What the engine's own figures lack. */
  get figures(): readonly OwnFigures[] {
    return [...this.#ranges].map(({ figures }) => figures)
  }

  stop(): Promise<void> {
    this.#end ??= this.#stop()
    return this.#end
  }

  async #stop(): Promise<void> {
    const { deps } = this.#init
    if (this.#state === 'reading') {
      this.#state = 'stopping'
      this.#plan()
      const ranges = [...this.#ranges]
      await this.#quiet.wait(leaveMaxMs, () => this.#settler.isIdle && ranges.every(({ isQuiet }) => isQuiet))
      let hasLeft = false
      void Promise.all(ranges.map((range) => range.leave())).then(() => {
        hasLeft = true
        this.#quiet.look()
      })
      await this.#quiet.wait(leaveMaxMs, () => hasLeft)
      if (!hasLeft) deps.log.warn('a member left without having noted so', { target: deps.target })
      this.#finishAll(new PosthasteError('DELIVERY_LOST', 'the member has left'))
    }
    await this.#member?.stop()
  }

  #finishAll(reason: PosthasteError): void {
    this.#state = 'ended'
    this.#leases?.close()
    this.#isolation.end()
    this.#loose.close()
    this.#ranges.drop(reason)
    this.#inHand.clear()
    this.#settler.close()
    this.#quiet.look()
    this.#init.ended()
  }
}
