import { randomUUID } from 'node:crypto'
import { jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

/** A prefix that nobody else has. */
export function freshPrefix(): string {
  return `t${randomUUID().replaceAll('-', '').slice(0, 12)}`
}

/** Deletes everything that engines with this prefix have made. */
export async function removeInstallation(url: string, prefix: string): Promise<void> {
  const connection = await connect({ servers: new URL(url).host })
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false })
    const names: string[] = []
    for await (const name of manager.streams.names()) names.push(name)
    const ours = names.filter((name) => name.startsWith(`${prefix}=`) || name.startsWith(`KV_${prefix}-`))
    await Promise.all(ours.map((name) => manager.streams.delete(name)))
  } finally {
    await connection.close()
  }
}
