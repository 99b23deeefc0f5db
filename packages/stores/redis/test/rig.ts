import { randomUUID } from 'node:crypto'
import { createServer, type Server, type Socket } from 'node:net'
import { type RunningServer, runningServer } from '@posthaste/conformance/server'
import { Redis } from 'ioredis'
import type { RedisStore } from '../src/keys.ts'
import type { RedisStoreOptions } from '../src/options.ts'

/** The server that tests may use; undefined: they are left out. */
export const server: RunningServer | undefined = runningServer('redis')

/** Why tests are left out. */
export const remedy = 'no server is up, start one with: npm run engines -- up redis'

/** Stores under a prefix of their own, and a plain client beside them. */
export class Rig {
  readonly prefix = `test-${randomUUID()}`
  readonly url = server?.url ?? ''
  readonly client = new Redis(this.url)
  readonly #stores: RedisStore[] = []

  open<S extends RedisStore>(make: (options: RedisStoreOptions) => S, options: Partial<RedisStoreOptions> = {}): S {
    const store = make({ url: this.url, prefix: this.prefix, timeoutMs: 5_000, ...options })
    this.#stores.push(store)
    return store
  }

  async keys(): Promise<string[]> {
    const found: string[] = []
    for (let cursor = ''; cursor !== '0'; ) {
      const [next, keys] = await this.client.scan(cursor || '0', 'MATCH', `${this.prefix}:*`, 'COUNT', 10_000)
      found.push(...keys)
      cursor = next
    }
    return found
  }

  /** Lets time go by: what expires does so earlier, and rates are less far ahead. */
  async advance(ms: number): Promise<void> {
    for (const key of await this.keys()) {
      const leftMs = (await this.client.pttl(key)) - ms
      if (leftMs <= 0) {
        await this.client.del(key)
        continue
      }
      if (key.startsWith(`${this.prefix}:rate:`)) {
        const arrival = Number(await this.client.get(key)) - ms * 1_000
        await this.client.set(key, String(arrival), 'KEEPTTL')
      }
      await this.client.pexpire(key, leftMs)
    }
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close()
    const keys = await this.keys()
    if (keys.length > 0) await this.client.unlink(...keys)
    this.client.disconnect()
  }
}

/** A server that takes connections and does with them what it is told. */
export async function fakeServer(onConnection: (socket: Socket) => void): Promise<{ url: string; close(): void }> {
  const sockets = new Set<Socket>()
  const fake: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    onConnection(socket)
  })
  await new Promise<void>((resolve) => fake.listen(0, '127.0.0.1', resolve))
  const address = fake.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  const close = (): void => {
    fake.close()
    for (const socket of sockets) socket.destroy()
  }
  return { url: `redis://127.0.0.1:${port}`, close }
}
