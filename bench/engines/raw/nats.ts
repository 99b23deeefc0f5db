import {
  AckPolicy,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { connect, headers, type MsgHdrs } from '@nats-io/transport-node'
import { attributes } from '../attributes.ts'
import type { Contestant, Opened, Place } from '../contestant.ts'
import { inLanes } from '../flow.ts'

/** A work queue on disk through `@nats-io/jetstream`: a pull consumer with a callback, and an acknowledgement for each. */
export const nats: Contestant = { open }

const durable = 'bench'

async function open({ url, prefix, bytes, window, attributes: withAttributes }: Place): Promise<Opened> {
  const servers = new URL(url).host
  const [publishing, consuming] = await Promise.all([connect({ servers }), connect({ servers })])
  const [client, manager] = [jetstream(publishing), await jetstreamManager(consuming)]
  const stream = `${prefix}stream`
  await manager.streams.add({
    name: stream,
    subjects: [stream],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
  })
  const body = Buffer.alloc(bytes, 'x')
  return {
    publish: (flow) =>
      inLanes(flow, () =>
        withAttributes ? client.publish(stream, body, { headers: headersOf() }) : client.publish(stream, body),
      ),
    consume: (handler) => consume({ manager, stream, window }, () => jetstream(consuming), handler),
    async close() {
      await manager.streams.delete(stream)
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}

interface Consuming {
  readonly manager: JetStreamManager
  readonly stream: string
  readonly window: number
}

async function consume(
  { manager, stream, window }: Consuming,
  client: () => ReturnType<typeof jetstream>,
  handler: () => void,
): Promise<void> {
  const limits = { ack_policy: AckPolicy.Explicit, max_ack_pending: window }
  await manager.consumers.add(stream, { durable_name: durable, ...limits })
  const consumer = await client().consumers.get(stream, durable)
  await consumer.consume({
    max_messages: window,
    callback: (message) => {
      handler()
      message.ack()
    },
  })
}

function headersOf(): MsgHdrs {
  const all = headers()
  for (const [name, value] of Object.entries(attributes((attribute) => `ce-${attribute}`))) all.set(name, value)
  return all
}
