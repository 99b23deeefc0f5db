import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { fakeServer, Rig, remedy, server } from '../test/rig.ts'
import type { RedisStoreOptions } from './options.ts'
import { redisIdempotency } from './redis-idempotency.ts'
import { redisRateLimits } from './redis-rate-limits.ts'

const claim = { key: 'k', fingerprint: 'f', leaseMs: 60_000 }
const limit = { unitMs: 60_000, burst: 3 }
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

describe('a store without a server', () => {
  const open = (options: Partial<RedisStoreOptions> & { url: string }) => {
    const store = redisIdempotency({ timeoutMs: 200, ...options })
    closing.push(() => store.close())
    return store
  }

  it('fails at once where nobody listens', async () => {
    const store = open({ url: 'redis://127.0.0.1:1' })
    const refused = { code: 'UNAVAILABLE', verdict: 'retryable', notSent: true }
    await expect(store.claim(claim)).rejects.toMatchObject(refused)
    await expect(store.ping()).rejects.toMatchObject(refused)
  })

  it('does not wait for a server that says nothing, in the handshake or after it', async () => {
    const silent = await fakeServer(() => {})
    closing.push(() => silent.close())
    for (const url of [silent.url, silent.url.replace('//', '//:password@')]) {
      await expect(open({ url }).claim(claim)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
  })

  it('says so where what answers is no Redis server, or hangs up', async () => {
    for (const greet of [
      (socket: Socket) => socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')),
      (socket: Socket) => socket.destroy(),
    ]) {
      const stranger = await fakeServer(greet)
      closing.push(() => stranger.close())
      await expect(open({ url: stranger.url }).claim(claim)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    }
  })

  it('makes another connection when the server has become a replica, as after a failover', async () => {
    let connections = 0
    const replica = await fakeServer((socket) => {
      connections += 1
      socket.on('data', (sent) => {
        for (const command of String(sent)
          .split(/^\*\d+\r\n/m)
          .slice(1)) {
          const writes = /evalsha/i.test(command)
          socket.write(writes ? "-READONLY You can't write against a read only replica.\r\n" : '+OK\r\n')
        }
      })
    })
    closing.push(() => replica.close())
    const store = open({ url: replica.url })
    const readOnly = { code: 'UNAVAILABLE', remedy: expect.stringContaining('failover') }
    for (let n = 0; n < 3; n++) await expect(store.claim(claim)).rejects.toMatchObject(readOnly)
    expect(connections).toBe(3)
  })

  it('refuses to work when it is closed', async () => {
    const store = open({ url: 'redis://127.0.0.1:1' })
    await store.close()
    await expect(store.claim(claim)).rejects.toMatchObject({ code: 'UNAVAILABLE', message: /closed/ })
  })
})

describe.skipIf(server === undefined)(`a store on a server (${remedy})`, () => {
  const setUp = () => {
    const rig = new Rig()
    closing.push(() => rig.close())
    return rig
  }

  /** A way to the server that can be cut. */
  const proxied = async () => {
    const { hostname, port } = new URL(server?.url ?? '')
    const sockets: Socket[] = []
    let isLosing = false
    const proxy = await fakeServer((socket) => {
      const upstream = connect({ host: hostname, port: Number(port) })
      upstream.on('error', () => {})
      upstream.prependListener('data', () => {
        if (!isLosing) return
        isLosing = false
        upstream.unpipe()
        socket.destroy()
      })
      socket.pipe(upstream).pipe(socket)
      sockets.push(socket)
    })
    closing.push(() => proxy.close())
    const loseNext = (): void => {
      isLosing = true
    }
    return { url: proxy.url, sockets, loseNext }
  }

  it('answers a ping, and is closed twice', async () => {
    const store = setUp().open(redisRateLimits)
    await store.ping()
    await store.close()
    await store.close()
  })

  it('connects anew when the connection was lost', async () => {
    const rig = setUp()
    const { url, sockets } = await proxied()
    const store = rig.open(redisIdempotency, { url })
    expect(await store.claim(claim)).toMatchObject({ state: 'fresh' })
    for (let n = 0; n < 3; n++) {
      sockets.at(-1)?.destroy()
      expect(await store.claim(claim)).toMatchObject({ state: 'inFlight' })
    }
    expect(sockets.length).toBeGreaterThan(1)
  })

  it('claims again, and takes no units again, when the answer was lost on the way', async () => {
    const rig = setUp()
    const { url, sockets, loseNext } = await proxied()
    const results = rig.open(redisIdempotency, { url })
    await results.claim({ ...claim, key: 'other' })
    loseNext()
    expect(await results.claim(claim)).toMatchObject({ state: 'fresh' })
    expect(sockets).toHaveLength(2)
    const rates = rig.open(redisRateLimits, { url })
    await rates.take('k', 1, limit)
    loseNext()
    await expect(rates.take('k', 1, limit)).rejects.toMatchObject({ code: 'UNAVAILABLE', notSent: false })
    expect(await rates.take('k', 1, limit)).toMatchObject({ allowed: true, remaining: 0 })
  })

  it('gives up a connection on which nothing is answered, and makes another', async () => {
    const rig = setUp()
    const { url, sockets } = await proxied()
    const store = rig.open(redisRateLimits, { url, timeoutMs: 300 })
    await store.take('k', 1, limit)
    sockets[0]?.unpipe()
    sockets[0]?.pause()
    await expect(store.take('k', 1, limit)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect((await store.take('k', 1, limit)).allowed).toBe(true)
    expect(sockets).toHaveLength(2)
  })

  it('brings its scripts again when the server has forgotten them', async () => {
    const rig = setUp()
    const store = rig.open(redisRateLimits)
    await store.take('k', 1, limit)
    await rig.client.script('FLUSH')
    expect(await store.take('k', 1, limit)).toMatchObject({ allowed: true, remaining: 1 })
  })

  it('uses the database of the url, and says so where there is none of that number', async () => {
    const rig = setUp()
    const url = new URL('/3', rig.url).href
    const store = rig.open(redisIdempotency, { url })
    await store.claim(claim)
    expect(await rig.keys()).toEqual([])
    await rig.client.select(3)
    const none = rig.open(redisIdempotency, { url: new URL('/9999', rig.url).href })
    await expect(none.claim(claim)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  it('says so where a key of its own holds something else', async () => {
    const rig = setUp()
    await rig.client.set(`${rig.prefix}:idempotency:k`, 'x')
    await expect(rig.open(redisIdempotency).claim(claim)).rejects.toMatchObject({ code: 'INTERNAL', remedy: /prefix/ })
  })
})

const { tlsUrl, caFile, certFile, keyFile, username, password } = server ?? {}
const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'))

describe.skipIf(tlsUrl === undefined)(`a server with TLS and credentials (${remedy})`, () => {
  const tls = { ca: read(caFile), cert: read(certFile), key: read(keyFile) }
  const ping = async (options: Partial<RedisStoreOptions>): Promise<void> => {
    const store = redisIdempotency({ url: tlsUrl ?? '', tls, username, password, timeoutMs: 5_000, ...options })
    closing.push(() => store.close())
    await store.ping()
  }

  it('is used with both, refuses a wrong password, and is not trusted without its authority', async () => {
    await ping({})
    const failure = await ping({ password: 'wrong-secret' }).catch((thrown: unknown) => thrown)
    expect(failure).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(String(failure)).not.toContain('wrong-secret')
    await expect(ping({ tls: {} })).rejects.toMatchObject({ code: 'UNAVAILABLE', remedy: /tls\.ca/ })
  })
})
