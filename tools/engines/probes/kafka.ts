import { type Exchange, exchange, type Reading } from './exchange.ts'

const metadataKey = 3
const listGroupsKey = 16
const apiVersionsKey = 18

/**
 * Asks a Kafka broker for the requests it knows, for the brokers of its cluster, of which there must be one, and for its
 * groups, which it knows when it has read what it wrote of them before.
 * @throws Error while the broker is not part of its cluster, or does not know its groups, yet
 * @see https://kafka.apache.org/protocol.html
 */
export async function probeKafka(url: URL): Promise<void> {
  await exchange(url, async (talk) => {
    const versions = await call(talk, apiVersionsKey, Buffer.alloc(0))
    const failure = versions.readInt16BE(4)
    if (failure !== 0) throw new Error(`ApiVersions was answered with error ${failure}`)
    // No topics asked for: an empty array in version 1.
    const metadata = await call(talk, metadataKey, Buffer.from([0, 0, 0, 0]))
    if (metadata.readInt32BE(4) < 1) throw new Error('no broker is in the cluster yet')
    const groups = await call(talk, listGroupsKey, Buffer.alloc(0))
    const unready = groups.readInt16BE(8)
    if (unready !== 0) throw new Error(`the groups are not loaded yet: error ${unready}`)
  })
}

/** Calls version 0 of ApiVersions, and version 1 of everything else; the answer begins with the correlation id. */
async function call({ send, receive }: Exchange, key: number, body: Buffer): Promise<Buffer> {
  const clientId = 'probe'
  const header = Buffer.alloc(14)
  header.writeInt32BE(10 + clientId.length + body.length, 0)
  header.writeInt16BE(key, 4)
  header.writeInt16BE(key === apiVersionsKey ? 0 : 1, 6)
  header.writeInt32BE(key, 8)
  header.writeInt16BE(clientId.length, 12)
  send(Buffer.concat([header, Buffer.from(clientId), body]))
  return receive(sized)
}

function sized(received: Buffer): Reading<Buffer> | undefined {
  if (received.length < 4) return undefined
  const bytes = received.readInt32BE(0) + 4
  return received.length < bytes ? undefined : { value: received.subarray(4, bytes), bytes }
}
