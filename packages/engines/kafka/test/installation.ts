import { Admin } from '@platformatic/kafka'
import { runningServer, TcpProxy } from '@posthaste/conformance'
import type { Engine } from '@posthaste/contracts'
import { kafka } from '../src/engine.ts'
import type { KafkaOptions } from '../src/options.ts'

/** The server that tests run on; undefined where none is up. */
export const server = runningServer('kafka')

/** Said where a test is skipped. */
export const howToStart = 'start it with: npm run engines -- up kafka'

/** Settings that make what waits in tests short. */
export const quick = {
  keyRanges: 4,
  sessionTimeoutMs: 1_500,
  rebalanceTimeoutMs: 5_000,
  transactionTimeoutMs: 2_000,
  timeoutMs: 5_000,
}

let made = 0

/** Topics and groups of their own on a server, and a way to it that can be cut. */
export class KafkaInstallation {
  readonly prefix =
    `t${(Date.now() % 2_176_782_336).toString(36).padStart(6, '0').slice(-5)}${(made++ % 36).toString(36)}.`
  readonly #address: { readonly host: string; readonly port: number }
  #proxy: TcpProxy | undefined

  constructor(url: string) {
    const { hostname, port } = new URL(url)
    this.#address = { host: hostname, port: Number(port) }
  }

  /** An engine, not opened yet; by way of the proxy of the moment. */
  async connect(options: KafkaOptions = {}): Promise<Engine> {
    this.#proxy ??= await this.#newProxy()
    return this.connectNow(options)
  }

  /** The same, once there is a proxy. */
  connectNow(options: KafkaOptions = {}): Engine {
    const proxy = this.#proxy
    if (proxy === undefined) throw new Error('there is no proxy yet')
    const reach = () => ({ host: '127.0.0.1', port: proxy.port })
    return kafka({ brokers: [`127.0.0.1:${proxy.port}`], reach, prefix: this.prefix, ...quick, ...options })
  }

  /** The way of the engines made so far. */
  get proxy(): TcpProxy {
    if (this.#proxy === undefined) throw new Error('there is no proxy yet')
    return this.#proxy
  }

  /** Cuts the way for good; engines made later have another. */
  async cut(): Promise<void> {
    const proxy = this.#proxy
    this.#proxy = await this.#newProxy()
    await proxy?.destroy()
  }

  async #newProxy(): Promise<TcpProxy> {
    const proxy = new TcpProxy(this.#address)
    await proxy.listen()
    return proxy
  }

  /** Deletes everything. */
  async remove(): Promise<void> {
    await this.#proxy?.destroy()
    const { host, port } = this.#address
    const admin = new Admin({ clientId: 'cleanup', bootstrapBrokers: [`${host}:${port}`], retries: 3 })
    try {
      const topics = (await admin.listTopics()).filter((name) => name.startsWith(this.prefix))
      if (topics.length > 0) await admin.deleteTopics({ topics })
      const groups = [...(await admin.listGroups()).keys()].filter((id) => id.startsWith(this.prefix))
      if (groups.length > 0) await admin.deleteGroups({ groups }).catch(() => {})
    } finally {
      await admin.close()
    }
  }
}
