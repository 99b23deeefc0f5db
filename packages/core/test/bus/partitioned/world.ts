import {
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type Engine,
  type EngineSubscription,
  type Lag,
  type OutgoingRecord,
  PosthasteError,
  type ReleaseSettlement,
  type SeekTarget,
  type Settlement,
} from '@posthaste/contracts'
import { complete } from '../../../src/bus/completing/complete.ts'
import { silentLog } from '../../../src/pipeline/log.ts'
import type { ManualClock } from '../../../src/testing/manual-clock.ts'
import type { PartitionedBroker } from './broker.ts'
import type { PartitionedEngine } from './engine.ts'

const channel = 'orders'
const group = 'g'

/** What must be true of a record, whatever happens. */
interface Known {
  readonly record: OutgoingRecord
  /** Hand-overs that counted so far, this many at least and at most. */
  min: number
  max: number
  /** `maybe`: an acknowledgement was not answered. */
  done: 'no' | 'maybe' | 'yes'
  /** Whether a process ended while it was under way: what was acknowledged last may not have been heard. */
  mayRepeat: boolean
  holder: Reader | undefined
}

/** Processes that share a group of a keyed channel, and what must hold for all of them. */
export class World {
  readonly clock: ManualClock
  readonly broker: PartitionedBroker
  readonly readers: Reader[] = []
  readonly violations: string[] = []
  readonly known = new Map<string, Known>()
  #crashes = 0

  constructor(broker: PartitionedBroker, clock: ManualClock) {
    this.broker = broker
    this.clock = clock
  }

  async begin(): Promise<void> {
    await this.broker.opened()
    const channels = [{ name: channel, kind: 'log', keyed: true } as const]
    await this.broker.storage.declare({ channels, groups: [{ channel, group, from: 'next' }] })
    await this.broker.feed(channel, group)
  }

  async publish(key: string | undefined, to: Pick<OutgoingRecord, 'group'> = {}): Promise<OutgoingRecord> {
    const id = `${key ?? 'none'}-${this.known.size}`
    const record = {
      id,
      channel,
      headers: { n: id },
      body: new Uint8Array(1),
      ...(key !== undefined && { key }),
      ...to,
    }
    this.known.set(id, { record, min: 0, max: 0, done: 'no', mayRepeat: false, holder: undefined })
    await this.broker.storage.publish([record])
    return record
  }

  async join(): Promise<Reader> {
    const raw = this.broker.connect()
    const engine = complete(raw)
    const { clock } = this
    await engine.open({ clock, log: silentLog, instance: 'test', random: () => 0.5, onState() {} })
    const reader = new Reader(this, raw, engine)
    this.readers.push(reader)
    await reader.join()
    return reader
  }

  async seek(target: SeekTarget): Promise<void> {
    await this.broker.seek(channel, group, target)
  }

  async settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) await this.clock.advance(0)
  }

  /** What is not done yet, of records that were published. */
  get open(): readonly string[] {
    const known = [...this.known.values()].filter(({ done }) => done === 'no').map(({ record }) => record.id)
    return [...known, ...this.broker.unsettled(channel, group)]
  }

  // ── Told by readers ───────────────────────────────────────────────────────────────────────────────────────────────

  handedOver(reader: Reader, { record, attempt }: Delivery): void {
    const known = this.known.get(record.id)
    if (known === undefined) {
      this.#violated(`${record.id} was never published`)
      return
    }
    if (record.headers.n !== record.id || Object.keys(record.headers).length > 1) {
      this.#violated(`${record.id} came with the headers ${JSON.stringify(record.headers)}`)
    }
    if (known.holder !== undefined) this.#violated(`${record.id} was handed over twice at once`)
    if (known.done === 'yes') {
      if (!known.mayRepeat) this.#violated(`${record.id} was handed over after it was done`)
    } else if (attempt < known.min + 1 || attempt > known.max + this.#crashes + 1) {
      this.#violated(`${record.id} came as attempt ${attempt} instead of ${known.min + 1} to ${known.max + 1}`)
    }
    known.min = attempt - 1
    known.max = attempt - 1
    known.holder = reader
  }

  /** Whatever comes before it in its key must be done. */
  handling({ record }: Delivery): void {
    if (record.key === undefined) return
    for (const { record: earlier, done } of this.known.values()) {
      if (earlier.id === record.id) return
      if (earlier.key === record.key && done === 'no') this.#violated(`${record.id} was handled before ${earlier.id}`)
    }
  }

  ending({ record }: Delivery, settlement: Settlement): void {
    const known = this.known.get(record.id)!
    known.holder = undefined
    if (settlement.kind === 'ack') known.done = 'maybe'
    else if (settlement.countsAttempt) known.max += 1
  }

  ended({ record }: Delivery, settlement: Settlement): void {
    const known = this.known.get(record.id)!
    if (settlement.kind === 'ack') known.done = 'yes'
    else if (settlement.countsAttempt) known.min += 1
  }

  lost({ record }: Delivery): void {
    this.known.get(record.id)!.holder = undefined
  }

  vanished(hands: readonly Delivery[]): void {
    this.#disturbed()
    const held = new Set(hands.map(({ record }) => record.id))
    for (const [id, known] of this.known) {
      if (!held.has(id)) continue
      known.min += 1
      known.holder = undefined
    }
  }

  /** Whoever reads on in another process cannot tell it from the end of this one. */
  interrupted(reader: Reader): void {
    this.#disturbed()
    reader.raw.interrupt()
  }

  /** From now on more may be taken for deliveries that were with who vanished than were. */
  #disturbed(): void {
    this.#crashes += 1
    for (const known of this.known.values()) known.mayRepeat ||= known.done !== 'yes'
  }

  violate(what: string): void {
    this.#violated(what)
  }

  #violated(what: string): void {
    this.violations.push(what)
  }
}

/** A process with one member, which does with its deliveries what the core does: one of each key at a time. */
export class Reader implements DeliverySink {
  hands: Delivery[] = []
  isAlive = true
  readonly raw: PartitionedEngine
  readonly #world: World
  readonly #engine: Engine
  #member: EngineSubscription | undefined
  /** Settlements that are not answered: what stands behind them in their key waits. */
  readonly #settling = new Set<Delivery>()
  readonly #lost = new Set<DeliveryTag>()
  #credit = 0

  constructor(world: World, raw: PartitionedEngine, engine: Engine) {
    this.#world = world
    this.raw = raw
    this.#engine = engine
  }

  async join(): Promise<void> {
    this.#member = await this.#engine.subscribe({ channel, group, member: 'm' }, this)
  }

  grant(credit: number): void {
    this.#credit += credit
    this.#member?.grant(credit)
  }

  // ── The engine calls ──────────────────────────────────────────────────────────────────────────────────────────────

  deliver(batch: readonly Delivery[]): void {
    if (!this.isAlive) return
    this.#credit -= batch.length
    if (this.#credit < 0) this.#world.violate('more was delivered than was granted')
    for (const delivery of batch) {
      this.#world.handedOver(this, delivery)
      this.hands.push(delivery)
    }
  }

  lost(tags: readonly DeliveryTag[]): void {
    if (!this.isAlive) return
    const gone = new Set(tags)
    for (const tag of tags) this.#lost.add(tag)
    for (const each of this.hands) if (gone.has(each.tag)) this.#world.lost(each)
    this.hands = this.hands.filter(({ tag }) => !gone.has(tag))
    this.grant(tags.length)
  }

  recall(tags: readonly DeliveryTag[]): void {
    const wanted = new Set(tags)
    queueMicrotask(() => {
      const back = this.hands.filter(({ tag }) => wanted.has(tag))
      if (back.length > 0) void this.#settle(back.map((each) => [each, handBack(each)]))
    })
  }

  closed(): void {}

  // ── The test calls ────────────────────────────────────────────────────────────────────────────────────────────────

  /** The first of each key, and all that have none. */
  get heads(): readonly Delivery[] {
    const keys = new Set([...this.#settling].map(({ record }) => record.key))
    return this.hands.filter(({ record: { key } }) => {
      if (key === undefined) return true
      const isFirst = !keys.has(key)
      keys.add(key)
      return isFirst
    })
  }

  async ack(delivery: Delivery): Promise<void> {
    this.#world.handling(delivery)
    await this.#settle([[delivery, { kind: 'ack', tag: delivery.tag }]])
  }

  /** Gives back the first of a key, and what stands behind it. */
  async release(delivery: Delivery, how: { readonly counts: boolean; readonly afterMs: number }): Promise<void> {
    const { key } = delivery.record
    const { counts: countsAttempt, afterMs } = how
    const visibleAtMs = afterMs > 0 ? this.#world.clock.nowMs() + afterMs : undefined
    const behind = this.hands.filter((each) => key !== undefined && each !== delivery && each.record.key === key)
    const first: Settlement = { kind: 'release', tag: delivery.tag, countsAttempt, visibleAtMs, holdKey: true }
    await this.#settle([[delivery, first], ...behind.map((each) => [each, handBack(each)] as const)])
  }

  async lag(): Promise<Lag | undefined> {
    return this.#engine.lag?.lag(channel, group)
  }

  async stop(): Promise<void> {
    this.isAlive = false
    for (const each of this.hands) this.#world.lost(each)
    this.hands = []
    await this.#member?.stop()
    await this.#engine.close()
  }

  crash(): void {
    this.isAlive = false
    this.#world.vanished(this.hands)
    this.hands = []
    this.#world.broker.crash(this.raw)
  }

  async #settle(batch: readonly (readonly [Delivery, Settlement])[]): Promise<void> {
    const world = this.#world
    for (const [delivery, settlement] of batch) {
      world.ending(delivery, settlement)
      this.#settling.add(delivery)
    }
    const settling = new Set(batch.map(([delivery]) => delivery))
    this.hands = this.hands.filter((each) => !settling.has(each))
    const outcomes = (await this.#member?.settle(batch.map(([, settlement]) => settlement)).catch(() => [])) ?? []
    if (!this.isAlive) return
    const restored: Delivery[] = []
    for (const [at, [delivery, settlement]] of batch.entries()) {
      const outcome = outcomes[at]
      this.#settling.delete(delivery)
      if (outcome?.ok) {
        world.ended(delivery, settlement)
        if (settlement.kind === 'release') this.#handBackBehind(delivery)
      } else if (
        !this.#lost.has(delivery.tag) &&
        (outcome === undefined || !PosthasteError.is(outcome.error, 'DELIVERY_LOST'))
      ) {
        world.known.get(delivery.record.id)!.holder = this
        restored.push(delivery)
        continue
      }
      this.grant(1)
    }
    this.hands = [...restored, ...this.hands]
  }

  /** What has come in behind what was given back was on its way before. */
  #handBackBehind({ record }: Delivery): void {
    const behind = this.hands.filter((each) => record.key !== undefined && each.record.key === record.key)
    if (behind.length === 0) return
    void this.#settle(behind.map((each) => [each, { ...handBack(each), holdKey: each.record.id === record.id }]))
  }
}

function handBack({ tag }: Delivery): ReleaseSettlement {
  return { kind: 'release', tag, countsAttempt: false }
}
