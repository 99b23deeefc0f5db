import { randomBytes } from 'node:crypto'
import { existsSync, realpathSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { probeKafka } from '../probes/kafka.ts'
import type { Place, Recipe } from '../recipe.ts'
import { run } from '../sources/command.ts'
import { executableOf } from '../sources/debian.ts'
import { kafkaJars, mavenProgram } from '../sources/maven.ts'
import { missing } from '../sources/missing.ts'
import { findExecutable } from '../sources/path.ts'

/** Kafka as one process that is broker and controller. */
export const kafka: Recipe = {
  name: 'kafka',
  kind: 'kafka',
  ports: { main: 29192, controller: 29193, tls: 29194 },
  async probe(url) {
    await probeKafka(url)
    return kafkaJars.version
  },
  async find() {
    const java = await executableOf('java', 'default-jre-headless')
    const jars = java && (installed() ?? (await mavenProgram(kafkaJars)))
    if (!jars)
      throw missing('kafka', ['install Java 17 or newer, and Maven', 'put the bin folder of Kafka on the PATH'])
    return { path: jars }
  },
  async prepare({ path }, place) {
    const { dir, ports, tls, credentials } = place
    const file = join(dir, 'server.properties')
    writeFileSync(file, kafkaConfig(place), { mode: 0o600 })
    const java = findExecutable('java') ?? 'java'
    const classes = ['-cp', join(path, '*')]
    if (!existsSync(join(dir, 'data/meta.properties'))) {
      // A dash in front would be taken for an option.
      const cluster = randomBytes(16).toString('base64url').replace(/^-/, '0')
      const user = `SCRAM-SHA-512=[name=${credentials.username},password=${credentials.password}]`
      const format = ['kafka.tools.StorageTool', 'format', '-t', cluster, '-c', file, '--add-scram', user]
      await run([java, ...classes, ...format])
    }
    return {
      launches: [{ command: java, args: ['-Xmx768m', ...classes, 'kafka.Kafka', file], listensOn: ports.main }],
      url: `kafka://127.0.0.1:${ports.main}`,
      tlsUrl: tls && `kafkas://127.0.0.1:${ports.tls}`,
    }
  },
}

/** The jars of a Kafka whose scripts are on PATH. */
function installed(): string | undefined {
  const script = findExecutable('kafka-server-start.sh') ?? findExecutable('kafka-server-start')
  const jars = script && join(dirname(realpathSync(script)), '../libs')
  return jars && existsSync(jars) ? jars : undefined
}

/** The whole of server.properties: small internal topics, no topic by accident, and members that may be missed soon. */
export function kafkaConfig({ dir, ports, tls, credentials }: Place): string {
  const plain = `PLAINTEXT://127.0.0.1:${ports.main}`
  const secure = `SASL_SSL://127.0.0.1:${ports.tls}`
  const { username, password } = credentials
  const advertised = tls ? `${plain},${secure}` : plain
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `${advertised},CONTROLLER://127.0.0.1:${ports.controller}`,
    'advertised.listeners': advertised,
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': join(dir, 'data'),
    'auto.create.topics.enable': 'false',
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'log.cleaner.dedupe.buffer.size': 16_777_216,
    // Tests make and remove many topics, whose files are mapped into memory.
    'log.index.size.max.bytes': 1_048_576,
    'file.delete.delay.ms': 1_000,
    // After a kill, the broker is back when its earlier session has ended.
    'broker.heartbeat.interval.ms': 500,
    'broker.session.timeout.ms': 3_000,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 100,
    'group.consumer.min.session.timeout.ms': 100,
    'group.consumer.min.heartbeat.interval.ms': 50,
  }
  if (tls)
    Object.assign(properties, {
      'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-512',
      'listener.name.sasl_ssl.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${username}="${password}";`,
      'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.client.auth': 'requested',
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': tls.serverPemFile,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': tls.caFile,
    })
  return `${Object.entries(properties)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n')}\n`
}
