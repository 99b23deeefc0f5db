import { Redis } from 'ioredis'
import { attributes } from '../attributes.ts'
import type { Contestant, Opened, Place } from '../contestant.ts'
import { inLanes } from '../flow.ts'

/**
 * Streams through `ioredis`: commands of one turn share a write (`enableAutoPipelining`), which its documentation
 * recommends for throughput. What was read together is acknowledged and deleted together, in one transaction.
 */
export const redis: Contestant = { open }

const group = 'bench'

async function open({ url, prefix, bytes, window, attributes: withAttributes }: Place): Promise<Opened> {
  const [publishing, reading] = [new Redis(url, { enableAutoPipelining: true }), new Redis(url)]
  // What fails is told by the command that fails.
  for (const client of [publishing, reading]) client.on('error', () => {})
  const stream = `${prefix}stream`
  const body = Buffer.alloc(bytes, 'x')
  await publishing.xgroup('CREATE', stream, group, '0', 'MKSTREAM')
  let isOpen = true

  const readOn = async (handler: () => void): Promise<void> => {
    let acknowledged: Promise<unknown> = Promise.resolve()
    while (isOpen) {
      // Half of the window is read while the other half is being acknowledged.
      const ids = await readIds(reading, stream, window / 2)
      for (const _ of ids) handler()
      await acknowledged
      if (ids.length > 0) acknowledged = acknowledge(publishing, stream, ids)
    }
  }
  return {
    publish: (flow) =>
      inLanes(flow, () =>
        withAttributes
          ? publishing.xadd(stream, '*', ...Object.entries(attributes(String)).flat(), 'body', body)
          : publishing.xadd(stream, '*', 'body', body),
      ),
    async consume(handler) {
      // Ends with the connection, whose end fails the read that is under way.
      readOn(handler).catch((error) => {
        if (isOpen) throw error
      })
    },
    async close() {
      isOpen = false
      reading.disconnect()
      await publishing.unlink(stream)
      publishing.disconnect()
    },
  }
}

function acknowledge(client: Redis, stream: string, ids: readonly string[]): Promise<unknown> {
  return client
    .multi()
    .xack(stream, group, ...ids)
    .xdel(stream, ...ids)
    .exec()
}

async function readIds(client: Redis, stream: string, count: number): Promise<string[]> {
  const from = ['STREAMS', stream, '>'] as const
  const answer = await client.xreadgroupBuffer('GROUP', group, 'one', 'COUNT', count, 'BLOCK', 100, ...from)
  const [read] = (answer ?? []) as [key: Buffer, entries: [id: Buffer, fields: Buffer[]][]][]
  return (read?.[1] ?? []).map(([id]) => String(id))
}
