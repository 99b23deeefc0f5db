import { Admin, Consumer, ProduceAcks, Producer } from '@platformatic/kafka'
import { attributes } from '../attributes.ts'
import type { Contestant, Opened, Place } from '../contestant.ts'
import { inBatches } from '../flow.ts'

/**
 * A topic through `@platformatic/kafka`: an idempotent producer with `acks=all` that is handed batches, as one request
 * for each message would be what is measured; a stream of messages, whose offsets are committed ten times a second.
 */
export const kafka: Contestant = { open }

/** As many as our channels have. */
const partitions = 8
/** Batches under way at a time: the server works on one while the next is being made. */
const batches = 4
const autocommitMs = 100

async function open({ url, prefix, bytes, window, attributes: withAttributes }: Place): Promise<Opened> {
  const base = { clientId: 'bench', bootstrapBrokers: [new URL(url).host] }
  const topic = `${prefix}topic`
  const admin = new Admin(base)
  await admin.createTopics({ topics: [topic], partitions, replicas: 1 })
  const producer = new Producer({ ...base, idempotent: true, acks: ProduceAcks.ALL })
  const value = Buffer.alloc(bytes, 'x')
  const message = withAttributes ? () => ({ topic, value, headers: headersOf() }) : () => ({ topic, value })
  let closeConsumer = async (): Promise<void> => {}
  return {
    publish: (flow) =>
      inBatches(flow, batches, (count) => producer.send({ messages: Array.from({ length: count }, message) })),
    async consume(handler) {
      const consumer = new Consumer({ ...base, groupId: `${prefix}group`, highWaterMark: window })
      const stream = await consumer.consume({ topics: [topic], autocommit: autocommitMs, mode: 'earliest' })
      stream.on('data', handler)
      closeConsumer = async () => {
        await stream.close()
        await consumer.close()
      }
    },
    async close() {
      await closeConsumer()
      await producer.close()
      await admin.deleteTopics({ topics: [topic] })
      await admin.close()
    },
  }
}

function headersOf(): Map<Buffer, Buffer> {
  const all = Object.entries(attributes((attribute) => `ce_${attribute}`))
  return new Map(all.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]))
}
