import { spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import {
  AckPolicy,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Broker, BrokerQueue, RunningBroker } from './broker.ts'
import { freePort, installed, startServer } from './server.ts'

const server = (): string | undefined => installed('nats-server')

/** Streams on disk. What is synced before it is confirmed is a question of the settings, so there are two contestants. */
function natsWith(name: string, setting: string): Broker {
  return {
    name,
    missing() {
      const file = server()
      if (file === undefined) return 'not installed'
      return takes(file, setting) ? undefined : 'not in the installed version (it came with 2.10)'
    },
    start: (dir) => start(dir, setting),
  }
}

/** As durable as what we confirm: synced before it is confirmed. */
export const natsSynced: Broker = natsWith('NATS JetStream, sync_interval always', 'sync_interval: always')
/** As it comes: confirmed when the operating system has it, synced every two minutes. Less than what we confirm. */
export const natsDefault: Broker = natsWith('NATS JetStream, default (not synced)', '')

function configOf(dir: string, port: number, setting: string): string {
  return `listen: "127.0.0.1:${port}"\njetstream {\n  store_dir: ${JSON.stringify(join(dir, 'data'))}\n  ${setting}\n}\n`
}

function takes(file: string, setting: string): boolean {
  const path = join(tmpdir(), `posthaste-bench-${process.pid}.conf`)
  writeFileSync(path, configOf(tmpdir(), 4222, setting))
  const { status } = spawnSync(file, ['-t', '-c', path])
  rmSync(path)
  return status === 0
}

async function start(dir: string, setting: string): Promise<RunningBroker> {
  const port = await freePort()
  const config = join(dir, 'nats.conf')
  writeFileSync(config, configOf(dir, port, setting))
  const running = startServer({ file: server()!, args: ['-c', config], dir })
  const servers = `127.0.0.1:${port}`
  try {
    await running.until(() => isReachable(servers))
    const connection = await connect({ servers })
    const version = connection.info?.version ?? 'unknown'
    await connection.close()
    return { version, open: () => openQueue(servers), stop: () => running.stop() }
  } catch (error) {
    await running.stop()
    throw error
  }
}

async function isReachable(servers: string): Promise<boolean> {
  try {
    await (await connect({ servers, reconnect: false })).close()
    return true
  } catch {
    return false
  }
}

let streams = 0
const durable = 'bench'

async function openQueue(servers: string): Promise<BrokerQueue> {
  const [publishing, consuming] = await Promise.all([connect({ servers }), connect({ servers })])
  const [client, manager] = [jetstream(publishing), await jetstreamManager(consuming)]
  const stream = `bench-${++streams}`
  await manager.streams.add({
    name: stream,
    subjects: [stream],
    storage: StorageType.File,
    retention: RetentionPolicy.Workqueue,
  })
  return {
    publish: (body) => client.publish(stream, body),
    consume: (handler, prefetch) => consume({ manager, client: jetstream(consuming), stream, prefetch }, handler),
    async isDone() {
      const { num_pending, num_ack_pending } = await manager.consumers.info(stream, durable)
      return num_pending + num_ack_pending === 0
    },
    async close() {
      await manager.streams.delete(stream)
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}

interface Consuming {
  readonly manager: JetStreamManager
  readonly client: JetStreamClient
  readonly stream: string
  readonly prefetch: number
}

async function consume({ manager, client, stream, prefetch }: Consuming, handler: () => void): Promise<void> {
  await manager.consumers.add(stream, {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: prefetch,
  })
  const consumer = await client.consumers.get(stream, durable)
  await consumer.consume({
    max_messages: prefetch,
    callback: (message) => {
      handler()
      message.ack()
    },
  })
}
