import { type RunningServer, runningServer } from '@posthaste/conformance'
import type {
  ChannelSpec,
  Delivery,
  DeliverySink,
  Engine,
  EngineHost,
  EngineState,
  EngineSubscription,
  Note,
  OutgoingRecord,
} from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { nats } from '../src/engine.ts'
import type { NatsOptions } from '../src/options.ts'
import { freshPrefix, removeInstallation } from './installation.ts'

/** Servers that tests run on, and what to say of those that are not up. */
export const servers: readonly { readonly name: string; readonly server: RunningServer | undefined }[] = [
  'nats',
  'nats-2.9',
].map((name) => ({ name, server: runningServer(name) }))

/** Short, so that takeovers are quick. */
export const leaseMs = 1_000

/** One prefix on one server, and all engines that a test opens on it. */
export class Rig {
  readonly prefix = freshPrefix()
  readonly url: string
  readonly states: EngineState[] = []
  /** How far each engine found the server's clock ahead, in milliseconds. */
  readonly skewsMs: number[] = []
  readonly #engines: Engine[] = []

  constructor(url: string) {
    this.url = url
  }

  /** @param aheadMs - how far the clock of this process is ahead */
  async open(options: Partial<NatsOptions> = {}, aheadMs = 0): Promise<Engine> {
    const engine = nats({ url: this.url, prefix: this.prefix, leaseMs, keyRanges: 3, timeoutMs: 10_000, ...options })
    const host: EngineHost = {
      clock: { ...systemClock, nowMs: () => systemClock.nowMs() + aheadMs },
      log: silentLog,
      instance: 'rig',
      onClockSkew: (skewMs) => this.skewsMs.push(skewMs),
      random: () => 0.5,
      onState: (state) => this.states.push(state),
    }
    this.#engines.push(engine)
    await engine.open(host)
    return engine
  }

  async end(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.close().catch(() => {})))
    await removeInstallation(this.url, this.prefix)
  }
}

export function channel(change: Partial<ChannelSpec> = {}): ChannelSpec {
  return { name: 'c', kind: 'log', keyed: false, ...change }
}

export function record(id: string, change: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { id, channel: 'c', headers: { type: 't', source: '/s' }, body: new TextEncoder().encode(id), ...change }
}

/** Keeps what it is told; acknowledges on demand, and gives ranges up when asked. */
export class TestMember implements DeliverySink {
  readonly received: Delivery[] = []
  readonly lostTags: number[] = []
  readonly assigned = new Map<string, readonly Note[]>()
  readonly ranges = {
    assigned: (range: string, notes: readonly Note[]) => void this.assigned.set(range, notes),
    recalled: (range: string) => {
      this.assigned.delete(range)
      void this.subscription?.ranges?.giveUp(range)
    },
    revoked: (range: string) => void this.assigned.delete(range),
  }
  subscription: EngineSubscription | undefined

  static async join(engine: Engine, credit = 100, name = 'm'): Promise<TestMember> {
    const member = new TestMember()
    member.subscription = await engine.subscribe({ channel: 'c', group: 'g', member: name }, member)
    member.subscription.grant(credit)
    return member
  }

  deliver(batch: readonly Delivery[]): void {
    this.received.push(...batch)
  }

  closed(): void {}

  lost(tags: readonly number[]): void {
    this.lostTags.push(...tags)
  }

  ids(): readonly string[] {
    return this.received.map((delivery) => delivery.record.id)
  }

  ackAll() {
    return this.subscription?.settle(this.received.map(({ tag }) => ({ kind: 'ack', tag })))
  }
}

/** Waits for something that a server brings about. */
export async function until(condition: () => boolean, patienceMs = 15_000): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + patienceMs
  while (!condition()) {
    if (systemClock.monotonicMs() > deadlineMs) throw new Error(`waited ${patienceMs} ms for ${condition}`)
    await new Promise<void>((resolve) => void systemClock.setTimer(10, resolve))
  }
}

/** Waits for a time on the wall clock. */
export function untilTime(timeMs: number): Promise<void> {
  return until(() => systemClock.nowMs() >= timeMs)
}
