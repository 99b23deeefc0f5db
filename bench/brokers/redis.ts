import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Broker, BrokerQueue, RunningBroker } from './broker.ts'
import { freePort, installed, startServer } from './server.ts'

const server = (): string | undefined => installed('redis-server')

/** Streams, with every command in the append-only file and that synced before the command is answered. */
export const redis: Broker = {
  name: 'Redis Streams, appendfsync always',
  missing: () => (server() === undefined ? 'not installed' : undefined),
  start,
}

async function start(dir: string): Promise<RunningBroker> {
  const port = await freePort()
  const config = join(dir, 'redis.conf')
  const settings = ['bind 127.0.0.1', `port ${port}`, `dir ${dir}`, 'appendonly yes', 'appendfsync always', 'save ""']
  writeFileSync(config, `${settings.join('\n')}\n`)
  const running = startServer({ file: server()!, args: [config], dir })
  try {
    await running.until(() => isReachable(port))
    return { version: await versionOf(port), open: () => openQueue(port), stop: () => running.stop() }
  } catch (error) {
    await running.stop()
    throw error
  }
}

function connected(port: number): Redis {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: () => null })
  // What fails is told by the command that fails.
  client.on('error', () => {})
  return client
}

async function isReachable(port: number): Promise<boolean> {
  const client = connected(port)
  try {
    await client.connect()
    return true
  } catch {
    return false
  } finally {
    client.disconnect()
  }
}

async function versionOf(port: number): Promise<string> {
  const client = connected(port)
  const [, version] = /redis_version:(\S+)/.exec(await client.info('server')) ?? []
  client.disconnect()
  return version ?? 'unknown'
}

let streams = 0
const group = 'bench'

async function openQueue(port: number): Promise<BrokerQueue> {
  const [publishing, reading] = [connected(port), connected(port)]
  const stream = `bench-${++streams}`
  await publishing.xgroup('CREATE', stream, group, '0', 'MKSTREAM')
  let published = 0
  let acknowledged = 0
  let isOpen = true

  const readOn = async (handler: () => void, prefetch: number): Promise<void> => {
    while (isOpen) {
      const ids = await readIds(reading, stream, prefetch)
      for (const _ of ids) handler()
      if (ids.length > 0) void publishing.xack(stream, group, ...ids).then((count) => (acknowledged += count))
    }
  }
  return {
    publish(body) {
      published++
      return publishing.xadd(stream, '*', 'b', body)
    },
    async consume(handler, prefetch) {
      // Ends with the connection, whose end fails the read that is under way.
      readOn(handler, prefetch).catch(() => {})
    },
    isDone: async () => acknowledged === published,
    async close() {
      isOpen = false
      reading.disconnect()
      await publishing.del(stream)
      publishing.disconnect()
    },
  }
}

/** Acknowledged together, as they were read together: what Redis is best at. */
async function readIds(client: Redis, stream: string, count: number): Promise<string[]> {
  const answer = await client.xreadgroupBuffer(
    'GROUP',
    group,
    'one',
    'COUNT',
    count,
    'BLOCK',
    100,
    'STREAMS',
    stream,
    '>',
  )
  const [read] = (answer ?? []) as [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][]
  return (read?.[1] ?? []).map(([id]) => String(id))
}
