import {
  type Delivery,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineSubscription,
  event,
  type Outcome,
  type OutgoingRecord,
  type PosthasteError,
  type Settlement,
  type SubscriptionSpec,
  succeeded,
  type Topology,
  type TopologyDrift,
} from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { z } from 'zod'
import { type Bus, type BusOptions, createBus } from '../../src/bus/bus.ts'
import type { MessageContext } from '../../src/bus/consuming/context.ts'
import type { SubscribeOptions } from '../../src/bus/consuming/options.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { type RecordingLog, recordingLog } from '../../src/testing/recording-log.ts'

/** What an engine can do that can do everything. */
export const fullCapabilities: EngineCapabilities = {
  durability: 'none',
  bodyBytesMax: 10_000,
  headerBytesMax: 20_000,
  keyOrder: 'engine',
  holdKey: 'native',
  delay: 'native',
  delayPrecisionMs: 1,
  atomicSettle: 'native',
  groupAddress: 'native',
  attempts: 'exact',
  history: 'native',
  priorityLevels: 1,
  filter: 'none',
  patterns: 'none',
  temporaryGroups: 'native',
  deduplicateForMsMax: 0,
  leaseMs: Number.POSITIVE_INFINITY,
  unsettledMsMax: Number.POSITIVE_INFINITY,
  unsettledMax: Number.POSITIVE_INFINITY,
}

/** A message without a key. */
export const Noted = event('shop.noted', { data: z.object({ n: z.number() }) })

/** A message whose order matters. */
export const Ordered = event('shop.ordered', { data: z.object({ key: z.string(), n: z.number() }), key: (o) => o.key })

/** The engine's side of a subscription, as a script drives it. */
export class ScriptedSubscription implements EngineSubscription {
  readonly spec: SubscriptionSpec
  readonly sink: DeliverySink
  readonly grants: number[] = []
  /** Every settlement that was asked for, batch by batch. */
  readonly batches: (readonly Settlement[])[] = []
  readonly extended: (readonly number[])[] = []
  stops = 0
  /** How a settlement goes; throws to reject the whole batch. */
  outcomeOf: (settlement: Settlement) => Outcome = () => succeeded
  readonly #now: () => number
  #tag = 0

  constructor(spec: SubscriptionSpec, sink: DeliverySink, now: () => number) {
    this.spec = spec
    this.sink = sink
    this.#now = now
  }

  get credit(): number {
    return this.grants.reduce((sum, grant) => sum + grant, 0)
  }

  get settlements(): readonly Settlement[] {
    return this.batches.flat()
  }

  /** Hands records over in one batch. @returns their tags */
  deliver(...given: readonly Partial<Delivery & { key: string; n: number; body: string }>[]): number[] {
    const deliveries = given.map(({ key, n = 0, body, ...rest }): Delivery => {
      const tag = ++this.#tag
      const text = body ?? JSON.stringify(key === undefined ? { n } : { key, n })
      const record = recordOf({ id: `m${tag}`, channel: this.spec.channel, key, body: new TextEncoder().encode(text) })
      return { tag, attempt: 1, storedAtMs: this.#now(), position: String(tag), record, ...rest }
    })
    this.sink.deliver(deliveries)
    return deliveries.map(({ tag }) => tag)
  }

  grant(credit: number): void {
    this.grants.push(credit)
  }

  async settle(batch: readonly Settlement[]): Promise<readonly Outcome[]> {
    this.batches.push(batch)
    return batch.map((settlement) => this.outcomeOf(settlement))
  }

  async extend(tags: readonly number[]): Promise<void> {
    this.extended.push(tags)
  }

  async stop(): Promise<void> {
    this.stops += 1
  }
}

/** A record with what every record has. */
export function recordOf(given: Partial<OutgoingRecord>): OutgoingRecord {
  const headers = {
    type: given.channel ?? 'shop.noted',
    source: '/elsewhere',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
    correlationid: 'c1',
  }
  return { id: 'm1', channel: 'shop.noted', headers, body: new TextEncoder().encode('{"n":1}'), ...given }
}

/** An engine that does what a test says. */
export class ScriptedEngine implements Engine {
  readonly name = 'scripted'
  readonly capabilities: EngineCapabilities
  readonly topologies: Topology[] = []
  readonly published: (readonly OutgoingRecord[])[] = []
  readonly subscriptions: ScriptedSubscription[] = []
  drift: readonly TopologyDrift[] = []
  /** How a publish goes; throws to reject the whole batch. */
  outcomeOf: (record: OutgoingRecord) => Outcome = () => succeeded
  beforeDeclare: () => Promise<void> = async () => {}
  beforeSubscribe: () => Promise<void> = async () => {}
  readonly #now: () => number

  constructor(capabilities: Partial<EngineCapabilities>, now: () => number) {
    this.capabilities = { ...fullCapabilities, ...capabilities }
    this.#now = now
  }

  /** The latest subscription. */
  get subscription(): ScriptedSubscription {
    const latest = this.subscriptions.at(-1)
    if (latest === undefined) throw new Error('nobody has subscribed')
    return latest
  }

  get records(): readonly OutgoingRecord[] {
    return this.published.flat()
  }

  async open(): Promise<void> {}

  async declare(topology: Topology) {
    this.topologies.push(topology)
    await this.beforeDeclare()
    return { created: [], drift: this.drift }
  }

  async publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    this.published.push(records)
    return records.map((record) => this.outcomeOf(record))
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    await this.beforeSubscribe()
    const subscription = new ScriptedSubscription(spec, sink, this.#now)
    this.subscriptions.push(subscription)
    return subscription
  }

  async close(): Promise<void> {}
}

/** A bus on an engine that does what the test says, at a time that the test says. */
export interface ScriptedRig {
  readonly bus: Bus
  readonly engine: ScriptedEngine
  readonly clock: ManualClock
  readonly log: RecordingLog
}

/** Half of every longest wait, wherever there is jitter. */
export const half = (): number => 0.5

export function scriptedRig(given: Partial<BusOptions> & { can?: Partial<EngineCapabilities> } = {}): ScriptedRig {
  const { can = {}, ...options } = given
  const clock = manualClock()
  const log = recordingLog()
  const engine = new ScriptedEngine(can, clock.nowMs)
  const bus = createBus({ name: 'shop', engine, clock, log, instance: 'shop-1', random: half, ...options })
  return { bus, engine, clock, log }
}

/** A bus on the memory engine. */
export interface MemoryRig {
  readonly bus: Bus
  readonly engine: Engine
  readonly clock: ManualClock
  readonly log: RecordingLog
}

export async function memoryRig(options: Partial<BusOptions> = {}): Promise<MemoryRig> {
  const clock = manualClock()
  const log = recordingLog()
  const engine = options.engine ?? memory({ clock })
  await engine.open({ clock, log, instance: 'shop-1', random: half, onState: () => {} })
  const bus = createBus({ name: 'shop', engine, clock, log, instance: 'shop-1', random: half, ...options })
  return { bus, engine, clock, log }
}

/** What a promise came to: the error it was rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<PosthasteError> {
  return promise.then(
    (value) => {
      throw new Error(`resolved with ${JSON.stringify(value)}`)
    },
    (error: PosthasteError) => error,
  )
}

/** A promise that a test settles. */
export interface Gate {
  readonly promise: Promise<void>
  readonly open: () => void
  readonly fail: (error: unknown) => void
}

export function gate(): Gate {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  return { promise, open: resolve, fail: reject }
}

/** Handlers that run until the test ends them. */
export function gated() {
  const runs: { n: number; key: string | undefined; signal: AbortSignal; end: Gate }[] = []
  const handler = (data: { n: number; key?: string }, context: { signal: AbortSignal }): Promise<void> => {
    const end = gate()
    runs.push({ n: data.n, key: data.key, signal: context.signal, end })
    return end.promise
  }
  return { runs, handler, order: () => runs.map(({ key, n }) => `${key ?? ''}${n}`) }
}

/** A started bus with one handler of `shop.ordered`, whose failures go to the ladder at once. */
export async function ordered(
  handler: (data: { key: string; n: number }, context: MessageContext) => unknown,
  options: Partial<SubscribeOptions> = {},
) {
  const rig = scriptedRig()
  rig.bus.on(Ordered, { group: 'points', retry: { immediate: 0 }, ...options }, handler)
  await rig.bus.start()
  return { ...rig, subscription: rig.engine.subscription }
}

/** What settlements do, in words. */
export function kinds(settlements: readonly Settlement[]): string[] {
  return settlements.map((settlement) => {
    if (settlement.kind === 'ack') return `${settlement.tag} ${settlement.publish === undefined ? 'ack' : 'publish'}`
    return `${settlement.tag} ${settlement.countsAttempt ? 'retry' : 'hand back'}`
  })
}
