import { Admin, Consumer, type MessagesStream, ProduceAcks, Producer } from '@platformatic/kafka'
import { attributes } from '../attributes.ts'
import type { Contestant, Opened, Place } from '../contestant.ts'
import { inBatches } from '../flow.ts'

/**
 * A topic through `@platformatic/kafka`: an idempotent producer with `acks=all` that is handed batches, as one request
 * for each message would be what is measured; a stream of messages with the same window: it waits while that many are not
 * committed, and commits what was handled by the time the commit before is answered.
 */
export const kafka: Contestant = { open }

type Messages = MessagesStream<Buffer, Buffer, Buffer, Buffer>

/** As many as our channels have. */
const partitions = 8
/** Batches under way at a time: the server works on one while the next is being made. */
const batches = 4

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
      const stream = await consumer.consume({ topics: [topic], autocommit: false, mode: 'earliest' })
      const commits = new Commits(consumer, stream, { topic, window })
      stream.on('data', ({ partition, offset }) => {
        handler()
        commits.add(partition, offset)
      })
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

/** Commits, one at a time, what was handled, and has the stream wait while a window of it is not committed. */
class Commits {
  readonly #consumer: Consumer
  readonly #stream: Messages
  readonly #topic: string
  readonly #window: number
  readonly #positions = new Map<number, bigint>()
  #uncommitted = 0
  #isCommitting = false

  constructor(consumer: Consumer, stream: Messages, { topic, window }: { topic: string; window: number }) {
    this.#consumer = consumer
    this.#stream = stream
    this.#topic = topic
    this.#window = window
  }

  add(partition: number, offset: bigint): void {
    this.#positions.set(partition, offset + 1n)
    this.#uncommitted += 1
    if (this.#uncommitted >= this.#window) this.#stream.pause()
    if (this.#isCommitting) return
    this.#isCommitting = true
    // When those that came with it are handled, too.
    queueMicrotask(() => void this.#commitAll().catch(stopped))
  }

  async #commitAll(): Promise<void> {
    while (this.#positions.size > 0) {
      const count = this.#uncommitted
      const topic = this.#topic
      const offsets = [...this.#positions].map(([partition, offset]) => ({ topic, partition, offset, leaderEpoch: -1 }))
      this.#positions.clear()
      await this.#consumer.commit({ offsets })
      this.#uncommitted -= count
      if (this.#stream.isPaused()) this.#stream.resume()
    }
    this.#isCommitting = false
  }
}

/** A commit under way at the end fails; before, the flow would stand still and fail the round. */
function stopped(): void {}

function headersOf(): Map<Buffer, Buffer> {
  const all = Object.entries(attributes((attribute) => `ce_${attribute}`))
  return new Map(all.map(([name, value]) => [Buffer.from(name), Buffer.from(value)]))
}
