import type {
  ChannelSpec,
  Clock,
  Delivery,
  DeliverySink,
  DeliveryTag,
  Engine,
  EngineSubscription,
  Note,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import type { KafkaOptions } from '../src/options.ts'
import { KafkaInstallation } from './installation.ts'

const patienceMs = 15_000
const restMs = 10

/** Waits until a condition holds, as long as a slow machine may need. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const startedMs = performance.now()
  while (!condition()) {
    if (performance.now() - startedMs > patienceMs) throw new Error(`waited ${patienceMs} ms for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, restMs))
  }
}

/** Engines on an installation of their own. */
export class Rig {
  readonly installation: KafkaInstallation
  readonly log = recordingLog()
  readonly states: string[] = []
  /** How far the server's clock was said to be ahead. */
  readonly skewsMs: number[] = []
  /** Of the engines that are opened from now on. */
  clock: Clock = systemClock
  readonly #engines: Engine[] = []

  constructor(url: string) {
    this.installation = new KafkaInstallation(url)
  }

  async open(options: KafkaOptions = {}): Promise<Engine> {
    const engine = await this.installation.connect(options)
    this.#engines.push(engine)
    await engine.open({
      clock: this.clock,
      log: this.log,
      instance: 'test',
      random: () => 0.5,
      onState: (state) => this.states.push(state),
      onClockSkew: (aheadMs) => this.skewsMs.push(aheadMs),
    })
    return engine
  }

  async end(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close()))
    await this.installation.remove()
  }
}

export function declare(engine: Engine, spec: Partial<ChannelSpec> = {}, groups = ['g']) {
  const channel: ChannelSpec = { name: 'c', kind: 'log', keyed: true, ...spec }
  const wanted = groups.map((group) => ({ channel: channel.name, group, from: 'earliest' as const }))
  return engine.declare({ channels: [channel], groups: wanted })
}

export function record(id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { id, channel: 'c', key: `k${id}`, headers: { type: 't', source: '/s' }, body: Buffer.from(id), ...wish }
}

export function records(count: number): OutgoingRecord[] {
  return Array.from({ length: count }, (_, at) => record(String(at)))
}

/** A member that keeps what it gets, and gives up ranges when it is asked to. */
export class Witness implements DeliverySink {
  readonly received: Delivery[] = []
  readonly lostTags: DeliveryTag[] = []
  readonly notes = new Map<string, readonly Note[]>()
  readonly owned = new Set<string>()
  readonly revocations: string[] = []
  readonly closings: PosthasteError[] = []
  acknowledges = true
  subscription: EngineSubscription | undefined
  readonly ranges = {
    assigned: (range: string, notes: readonly Note[]) => {
      this.owned.add(range)
      this.notes.set(range, notes)
    },
    recalled: (range: string) => {
      this.owned.delete(range)
      void this.subscription?.ranges?.giveUp(range)
    },
    revoked: (range: string) => {
      this.owned.delete(range)
      this.revocations.push(range)
    },
  }

  deliver(batch: readonly Delivery[]): void {
    this.received.push(...batch)
    if (!this.acknowledges) return
    void this.subscription?.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
    this.subscription?.grant(batch.length)
  }

  lost(tags: readonly DeliveryTag[]): void {
    this.lostTags.push(...tags)
  }

  closed(cause: PosthasteError): void {
    this.closings.push(cause)
  }

  get ids(): readonly string[] {
    return this.received.map(({ record }) => record.id)
  }

  static async join(engine: Engine, credit = 100, group = 'g'): Promise<Witness> {
    const witness = new Witness()
    witness.subscription = await engine.subscribe({ channel: 'c', group, member: 'm' }, witness)
    witness.subscription.grant(credit)
    return witness
  }
}
