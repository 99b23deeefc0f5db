import { type CommandContract, command, type Engine, type Log } from '@posthaste/contracts'
import { posthaste } from 'posthaste'
import { z } from 'zod'
import type { Contestant, Opened, Place, ServerName } from './contestant.ts'
import { inLanes } from './flow.ts'
import { leaveNothing } from './leftovers.ts'

const Data = z.object({ orderNo: z.string(), customer: z.int(), total: z.number(), note: z.string() })
/** Checked when publishing and again when handling. */
const Work: CommandContract<typeof Data> = command('bench.work', { data: Data })

type Connect = (options: { readonly url: string; readonly prefix: string }) => Engine

/** Loaded when asked for: what one client does to a process must not be measured with another. */
const engines: Readonly<Record<ServerName, () => Promise<Connect>>> = {
  rabbitmq: async () => (await import('@posthaste/rabbitmq')).rabbitmq,
  kafka: async () => (await import('@posthaste/kafka')).kafka,
  nats: async () => (await import('@posthaste/nats')).nats,
  redis: async () => (await import('@posthaste/redis')).redis,
}

const silent = (): void => {}
const silentLog: Log = { debug: silent, info: silent, warn: silent, error: console.error }

/** Our bus on an engine: a command with a schema, published one by one, and its handler. */
export function bus(server: ServerName): Contestant {
  return { open: (place) => open(server, place) }
}

async function open(server: ServerName, { url, prefix, bytes, window }: Place): Promise<Opened> {
  const connect = await engines[server]()
  const app = posthaste({ name: 'bench', engine: connect({ url, prefix }), log: silentLog, signals: false })
  const data = dataOf(bytes)
  let onMessage = (): void => {}
  app.handle(Work, { prefetch: window }, () => onMessage())
  await app.start()
  const consumer = app.group(Work)
  await consumer.pause()
  return {
    publish: (flow) => inLanes(flow, () => app.send(Work, data)),
    consume(handler) {
      onMessage = handler
      return consumer.resume()
    },
    async close() {
      await app.close()
      await leaveNothing(server, url, prefix)
    },
  }
}

/** Data whose JSON has exactly this many bytes. */
export function dataOf(bytes: number): z.infer<typeof Data> {
  const data = { orderNo: 'A-10000', customer: 700_000, total: 129.9, note: '' }
  const missing = bytes - JSON.stringify(data).length
  if (missing < 0) throw new RangeError(`the data have at least ${bytes - missing} bytes`)
  return { ...data, note: 'x'.repeat(missing) }
}
