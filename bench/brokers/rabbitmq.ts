import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { connect } from 'amqplib'
import type { Broker, BrokerQueue, RunningBroker } from './broker.ts'
import { freePort, installed, type Server, startServer } from './server.ts'

/** The packages of Debian put a wrapper on the path that knows the system's own instance only; what it wraps comes first. */
const server = (): string | undefined => installed('/usr/lib/rabbitmq/bin/rabbitmq-server', 'rabbitmq-server')
const portMapper = (): string | undefined => installed('epmd')

/** Persistent messages in a quorum queue, which confirms what is synced to its log; a confirm channel. */
export const rabbitmq: Broker = {
  name: 'RabbitMQ, quorum queue',
  missing: () => (server() === undefined || portMapper() === undefined ? 'not installed' : undefined),
  start,
}

/**
 * Everything of the node's is its own: name, ports, directories, cookie, and the port mapper, so that it neither meets nor
 * leaves anything of an instance of the system.
 */
async function start(dir: string): Promise<RunningBroker> {
  const [port, distributionPort, mapperPort] = await Promise.all([freePort(), freePort(), freePort()])
  const home = join(dir, 'home')
  mkdirSync(home)
  writeFileSync(join(dir, 'rabbitmq.conf'), `listeners.tcp.default = 127.0.0.1:${port}\n`)
  const env = {
    HOME: home,
    ERL_EPMD_PORT: String(mapperPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `posthaste-bench-${process.pid}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(dir, 'data'),
    RABBITMQ_LOG_BASE: join(dir, 'log'),
    RABBITMQ_PID_FILE: join(dir, 'rabbitmq.pid'),
    RABBITMQ_CONFIG_FILE: join(dir, 'rabbitmq.conf'),
    RABBITMQ_CONF_ENV_FILE: join(dir, 'none'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, 'plugins'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir, 'generated'),
  }
  const mapper = startServer({ file: portMapper()!, args: ['-address', '127.0.0.1', '-port', String(mapperPort)], dir })
  const node = startServer({ file: server()!, args: [], env, dir })
  const url = `amqp://guest:guest@127.0.0.1:${port}`
  try {
    await node.until(() => isReachable(url))
    const version = await versionOf(url)
    return { version, open: () => openQueue(url), stop: () => stopAll(node, mapper) }
  } catch (error) {
    await stopAll(node, mapper)
    throw error
  }
}

async function stopAll(...servers: readonly Server[]): Promise<void> {
  for (const each of servers) await each.stop()
}

async function isReachable(url: string): Promise<boolean> {
  try {
    await (await connect(url)).close()
    return true
  } catch {
    return false
  }
}

async function versionOf(url: string): Promise<string> {
  const connection = await connect(url)
  const { version } = connection.connection.serverProperties
  await connection.close()
  return String(version)
}

let queues = 0

async function openQueue(url: string): Promise<BrokerQueue> {
  const [publishing, consuming] = await Promise.all([connect(url), connect(url)])
  const channel = await publishing.createConfirmChannel()
  const consumer = await consuming.createChannel()
  const queue = `bench-${++queues}`
  await channel.assertQueue(queue, { durable: true, arguments: { 'x-queue-type': 'quorum' } })
  return {
    publish: (body) =>
      new Promise<void>((resolve, reject) => {
        channel.sendToQueue(queue, body, { persistent: true }, (error) => (error ? reject(error) : resolve()))
      }),
    async consume(handler, prefetch) {
      await consumer.prefetch(prefetch)
      await consumer.consume(queue, (message) => {
        if (message === null) return
        handler()
        consumer.ack(message)
      })
    },
    // A round trip on the channel of the acknowledgements: the broker has taken in what was sent before.
    isDone: async () => (await consumer.checkQueue(queue)).messageCount === 0,
    async close() {
      await channel.deleteQueue(queue)
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}
