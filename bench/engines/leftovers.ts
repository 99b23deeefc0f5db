import type { ServerName } from './contestant.ts'

/** Removes everything from a server whose name holds the prefix, so that the next measurement finds it as this one did. */
export async function leaveNothing(server: ServerName, url: string, prefix: string): Promise<void> {
  await removers[server](url, prefix.slice(0, -1))
}

const removers: Readonly<Record<ServerName, (url: string, token: string) => Promise<void>>> = {
  async rabbitmq(url, token) {
    // The protocol lists nothing: what holds messages is known by name, and what is empty may stay.
    const { Connection } = await import('rabbitmq-client')
    const connection = new Connection(url)
    for (const name of ['bench.work', 'posthaste~registry']) await connection.queueDelete(`${token}-${name}`)
    await connection.close()
  },
  async kafka(url, token) {
    const { Admin } = await import('@platformatic/kafka')
    const admin = new Admin({ clientId: 'bench', bootstrapBrokers: [new URL(url).host] })
    const topics = (await admin.listTopics()).filter((topic) => topic.includes(token))
    if (topics.length > 0) await admin.deleteTopics({ topics })
    await admin.close()
  },
  async nats(url, token) {
    const [{ connect }, { jetstreamManager }] = await Promise.all([
      import('@nats-io/transport-node'),
      import('@nats-io/jetstream'),
    ])
    const connection = await connect({ servers: new URL(url).host })
    const manager = await jetstreamManager(connection)
    const names: string[] = []
    for await (const name of manager.streams.names()) names.push(name)
    for (const name of names) if (name.includes(token)) await manager.streams.delete(name)
    await connection.close()
  },
  async redis(url, token) {
    const { Redis } = await import('ioredis')
    const client = new Redis(url)
    for await (const keys of client.scanStream({ match: `*${token}*`, count: 1_000 })) {
      if (keys.length > 0) await client.unlink(...(keys as string[]))
    }
    client.disconnect()
  },
}
