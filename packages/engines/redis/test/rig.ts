import { randomUUID } from 'node:crypto'
import { type RunningServer, runningServer, TcpProxy } from '@posthaste/conformance'
import type {
  ChannelSpec,
  Delivery,
  DeliverySink,
  DeliveryTag,
  Engine,
  EngineHost,
  EngineState,
  GroupSpec,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { Redis } from 'ioredis'
import { systemClock } from 'posthaste/pipeline'
import { redis } from '../src/engine.ts'
import type { RedisOptions } from '../src/options.ts'
import { removeInstallation } from './installation.ts'

/** The server that tests may use; undefined: they are left out. */
export const server: RunningServer | undefined = runningServer('redis')

/** Why tests are left out. */
export const remedy = 'no server is up, start one with: npm run engines -- up redis'

/** What a host was told, and the host. */
export class TestHost implements EngineHost {
  readonly clock = systemClock
  readonly instance = 'test'
  readonly random = (): number => 0.5
  readonly states: (readonly [state: EngineState, cause: string | undefined])[] = []
  readonly logged: string[] = []
  readonly log = {
    debug: (message: string): void => void this.logged.push(message),
    info: (message: string): void => void this.logged.push(message),
    warn: (message: string): void => void this.logged.push(message),
    error: (message: string): void => void this.logged.push(message),
  }
  readonly skews: number[] = []

  onState(state: EngineState, cause?: PosthasteError): void {
    this.states.push([state, cause?.code])
  }

  onClockSkew(aheadMs: number): void {
    this.skews.push(aheadMs)
  }
}

/** Keeps what it is given. */
export class TestSink implements DeliverySink {
  readonly received: Delivery[] = []
  readonly lostTags: DeliveryTag[] = []
  readonly causes: string[] = []

  deliver(batch: readonly Delivery[]): void {
    this.received.push(...batch)
  }

  lost(tags: readonly DeliveryTag[]): void {
    this.lostTags.push(...tags)
  }

  closed(cause: PosthasteError): void {
    this.causes.push(cause.code)
  }

  get ids(): readonly string[] {
    return this.received.map(({ record }) => record.id)
  }
}

/** Engines of one installation, and a plain client beside them. */
export class Rig {
  readonly prefix = `test-${randomUUID()}`
  readonly client: Redis
  readonly #url: string
  readonly #closing: (() => Promise<unknown>)[] = []

  constructor({ url }: RunningServer) {
    this.#url = url
    this.client = new Redis(url)
  }

  /** The server, with another path. */
  urlOf(path: string): string {
    return new URL(path, this.#url).href
  }

  async engine(options: Partial<RedisOptions> = {}, host: EngineHost = new TestHost()): Promise<Engine> {
    const engine = redis({
      url: this.#url,
      prefix: this.prefix,
      sessionMs: 1_500,
      pollMs: 100,
      timeoutMs: 5_000,
      ...options,
    })
    await engine.open(host)
    this.#closing.push(() => engine.close())
    return engine
  }

  /** An engine behind a network that can be broken. */
  async proxied(options: Partial<RedisOptions> = {}) {
    const { hostname, port } = new URL(this.#url)
    const proxy = new TcpProxy({ host: hostname, port: Number(port) })
    await proxy.listen()
    this.#closing.push(() => proxy.destroy())
    const host = new TestHost()
    return { proxy, host, engine: await this.engine({ url: proxy.url(this.#url), ...options }, host) }
  }

  async close(): Promise<void> {
    for (const close of this.#closing.reverse()) await close()
    this.client.disconnect()
    await removeInstallation(this.#url, this.prefix)
  }
}

/** A keyed queue `c` with a group `g`, unless wished otherwise. */
export async function declare(engine: Engine, wish: Partial<ChannelSpec> = {}, group: Partial<GroupSpec> = {}) {
  const channels = [{ name: 'c', kind: 'queue', keyed: true, ...wish } as const]
  return engine.declare({ channels, groups: [{ channel: wish.name ?? 'c', group: 'g', from: 'next', ...group }] })
}

export const record = (id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  ...{ id, channel: 'c', headers: { type: 'a.b', source: '/x' }, body: new TextEncoder().encode(id) },
  ...wish,
})

export async function join(engine: Engine, credit: number, sink = new TestSink()) {
  const subscription = await engine.subscribe({ channel: 'c', group: 'g', member: 'm' }, sink)
  subscription.grant(credit)
  return { subscription, sink }
}
