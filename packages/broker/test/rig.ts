import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join as pathOf } from 'node:path'
import { type BrokerEngine, type BrokerOptions, broker } from '@posthaste/broker'
import { TcpProxy } from '@posthaste/conformance'
import type {
  ChannelSpec,
  Clock,
  Delivery,
  DeliverySink,
  DeliveryTag,
  EngineHost,
  EngineState,
  GroupSpec,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { configOf } from '../src/config/config-of.ts'
import { type Broker, startBroker } from '../src/serving/broker.ts'

/** What a host was told, and the host. */
export class TestHost implements EngineHost {
  readonly clock = systemClock
  readonly instance: string
  readonly random = (): number => 0.5
  readonly states: EngineState[] = []
  readonly logged: string[] = []
  readonly log = {
    debug: (message: string): void => void this.logged.push(message),
    info: (message: string, fields?: object): void => void this.logged.push(`${message} ${JSON.stringify(fields)}`),
    warn: (message: string, fields?: object): void => void this.logged.push(`${message} ${JSON.stringify(fields)}`),
    error: (message: string, fields?: object): void => void this.logged.push(`${message} ${JSON.stringify(fields)}`),
  }

  constructor(instance = 'test') {
    this.instance = instance
  }

  onState(state: EngineState): void {
    this.states.push(state)
  }
}

/** Keeps what it is given. */
export class TestSink implements DeliverySink {
  readonly received: Delivery[] = []
  readonly lostTags: DeliveryTag[] = []
  readonly recalled: DeliveryTag[] = []
  readonly causes: PosthasteError[] = []
  onDeliver: (batch: readonly Delivery[]) => void = () => {}

  deliver(batch: readonly Delivery[]): void {
    this.received.push(...batch)
    this.onDeliver(batch)
  }

  lost(tags: readonly DeliveryTag[]): void {
    this.lostTags.push(...tags)
  }

  recall(tags: readonly DeliveryTag[]): void {
    this.recalled.push(...tags)
  }

  closed(cause: PosthasteError): void {
    this.causes.push(cause)
  }

  get ids(): readonly string[] {
    return this.received.map(({ record }) => record.id)
  }
}

/** Brokers on one directory after the other, and clients of them; all of it is gone at the end. */
export class Rig {
  readonly dir = mkdtempSync(pathOf(tmpdir(), 'broker-'))
  readonly host = new TestHost('broker')
  readonly #closing: (() => Promise<unknown>)[] = []

  /** Starts a broker on the directory of the rig. */
  async broker(config: object = {}, clock: Clock = systemClock): Promise<Broker> {
    const given = {
      dataDir: pathOf(this.dir, 'data'),
      listen: 'link://127.0.0.1:0',
      health: false,
      drainMs: 300,
      ...config,
    }
    const started = await startBroker(configOf(JSON.stringify(given), {}), { log: this.host.log, clock })
    this.#closing.push(() => started.stop())
    return started
  }

  /** Connects to a broker. */
  async engine(
    to: Broker | string,
    options: Partial<BrokerOptions> = {},
    host: EngineHost = new TestHost(),
  ): Promise<BrokerEngine> {
    const url = typeof to === 'string' ? to : (to.urls[0] ?? '')
    const engine = broker({ url, timeoutMs: 10_000, sessionMs: 2_000, ...options })
    this.#closing.push(() => engine.close())
    await engine.open(host)
    return engine
  }

  /** Connects through a network that can be broken. */
  async proxied(to: Broker, options: Partial<BrokerOptions> = {}) {
    const proxy = new TcpProxy({ port: Number(new URL(to.urls[0] ?? '').port) })
    await proxy.listen()
    this.#closing.push(() => proxy.destroy())
    const host = new TestHost('proxied')
    const engine = await this.engine(proxy.url(to.urls[0] ?? ''), options, host)
    return { proxy, host, engine }
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close().catch(() => {})
    rmSync(this.dir, { recursive: true, force: true })
  }
}

/** A keyed queue `c` with a group `g`, unless wished otherwise. */
export async function declare(engine: BrokerEngine, wish: Partial<ChannelSpec> = {}, group: Partial<GroupSpec> = {}) {
  const channels = [{ name: 'c', kind: 'queue', keyed: true, ...wish } as const]
  return engine.declare({ channels, groups: [{ channel: wish.name ?? 'c', group: 'g', from: 'next', ...group }] })
}

/** A record of `c` whose body is its id. */
export const record = (id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  ...{ id, channel: 'c', headers: { type: 'a.b', source: '/x' }, body: new TextEncoder().encode(id) },
  ...wish,
})

/** Joins `g` of `c`. */
export async function join(engine: BrokerEngine, credit: number, sink = new TestSink()) {
  const subscription = await engine.subscribe({ channel: 'c', group: 'g', member: 'm' }, sink)
  if (credit > 0) subscription.grant(credit)
  return { subscription, sink }
}

/** Waits until something holds. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise<void>((resolve) => void systemClock.setTimer(10, resolve))
}
