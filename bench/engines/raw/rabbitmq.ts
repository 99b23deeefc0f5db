import { Connection } from 'rabbitmq-client'
import { attributes } from '../attributes.ts'
import type { Contestant, Opened, Place } from '../contestant.ts'
import { inLanes } from '../flow.ts'

/**
 * A quorum queue through `rabbitmq-client`: its `Publisher` with confirms and persistent messages, its `Consumer`, which
 * acknowledges each message, and a connection for each of the two.
 */
export const rabbitmq: Contestant = { open }

async function open({ url, prefix, bytes, window, attributes: withAttributes }: Place): Promise<Opened> {
  const [publishing, consuming] = [new Connection(url), new Connection(url)]
  // What fails is told by the call that fails.
  for (const connection of [publishing, consuming]) connection.on('error', () => {})
  const queue = `${prefix}queue`
  await publishing.queueDeclare({ queue, durable: true, arguments: { 'x-queue-type': 'quorum' } })
  const publisher = publishing.createPublisher({ confirm: true })
  const body = Buffer.alloc(bytes, 'x')
  const plain = { routingKey: queue, durable: true }
  const envelope = () => ({ ...plain, headers: attributes((attribute) => `cloudEvents:${attribute}`) })
  let closeConsumer = async (): Promise<void> => {}
  return {
    publish: (flow) => inLanes(flow, () => publisher.send(withAttributes ? envelope() : plain, body)),
    consume(handler) {
      const options = { queue, queueOptions: { passive: true }, qos: { prefetchCount: window } }
      const consumer = consuming.createConsumer(options, () => handler())
      consumer.on('error', () => {})
      closeConsumer = () => consumer.close()
      return new Promise((resolve) => consumer.once('ready', resolve))
    },
    async close() {
      await closeConsumer()
      await publisher.close()
      await publishing.queueDelete(queue)
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}
