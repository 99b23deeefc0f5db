import { createHash, randomBytes } from 'node:crypto'
import { realpathSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { probeRabbitmq } from '../probes/rabbitmq.ts'
import type { Place, Recipe } from '../recipe.ts'
import { executableOf } from '../sources/debian.ts'
import { missing } from '../sources/missing.ts'
import { findExecutable } from '../sources/path.ts'

/** RabbitMQ with its own node name, Erlang port mapper and cookie, so that it meets no other node of the machine. */
export const rabbitmq: Recipe = {
  name: 'rabbitmq',
  kind: 'rabbitmq',
  ports: { main: 25682, tls: 25683, distribution: 25684, epmd: 25685 },
  probe: probeRabbitmq,
  async find() {
    const path = await executableOf('rabbitmq-server', 'rabbitmq-server')
    if (!path) throw missing('rabbitmq', ['install RabbitMQ 3.10 or newer, so that rabbitmq-server is on the PATH'])
    return { path: unwrapped(path) }
  },
  async prepare({ path }, place) {
    const { name, dir, ports, tls } = place
    const write = (file: string, text: string): string => {
      writeFileSync(join(dir, file), text, { mode: 0o600 })
      return join(dir, file)
    }
    write('definitions.json', definitions(place))
    const env = {
      HOME: dir,
      ERL_EPMD_PORT: String(ports.epmd),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `posthaste-${name}@localhost`,
      RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
      RABBITMQ_NODE_PORT: String(ports.main),
      RABBITMQ_DIST_PORT: String(ports.distribution),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
      RABBITMQ_MNESIA_BASE: join(dir, 'mnesia'),
      RABBITMQ_LOG_BASE: dir,
      RABBITMQ_LOGS: '-',
      RABBITMQ_CONF_ENV_FILE: write('rabbitmq-env.conf', ''),
      RABBITMQ_CONFIG_FILE: write('rabbitmq.conf', rabbitmqConfig(place)),
      RABBITMQ_ADVANCED_CONFIG_FILE: write('advanced.config', '[].\n'),
      RABBITMQ_ENABLED_PLUGINS_FILE: write('enabled_plugins', '[].\n'),
      // Without the shell that waits for the node, which would be left behind when the node is killed.
      RABBITMQ_ALLOW_INPUT: 'true',
      RABBITMQ_SERVER_START_ARGS: '-noinput',
    }
    return {
      launches: [
        // Started here, or the node would start one that outlives it.
        { command: findExecutable('epmd') ?? 'epmd', args: [], env, listensOn: ports.epmd as number },
        { command: path, args: [], env, listensOn: ports.main },
      ],
      url: `amqp://guest:guest@127.0.0.1:${ports.main}`,
      tlsUrl: tls && `amqps://127.0.0.1:${ports.tls}`,
    }
  },
}

/** Debian's executable on PATH switches to another user before it calls the server's own script beside it. */
function unwrapped(path: string): string {
  const real = realpathSync(path)
  return basename(real) === 'rabbitmq-script-wrapper' ? join(dirname(real), 'rabbitmq-server') : path
}

/** The whole of rabbitmq.conf. */
export function rabbitmqConfig({ dir, ports, tls }: Place): string {
  const lines = [`load_definitions = ${join(dir, 'definitions.json')}`]
  if (tls)
    lines.push(
      `listeners.ssl.default = 127.0.0.1:${ports.tls}`,
      `ssl_options.cacertfile = ${tls.caFile}`,
      `ssl_options.certfile = ${tls.serverCertFile}`,
      `ssl_options.keyfile = ${tls.serverKeyFile}`,
      'ssl_options.verify = verify_peer',
      'ssl_options.fail_if_no_peer_cert = false',
    )
  return `${lines.join('\n')}\n`
}

/** The users: `guest`, who may only come from loopback, and the one for TLS. */
export function definitions({ credentials }: Place): string {
  const everything = { vhost: '/', configure: '.*', write: '.*', read: '.*' }
  const guest = { username: 'guest', password: 'guest' }
  return JSON.stringify({
    vhosts: [{ name: '/' }],
    users: [guest, credentials].map(({ username, password }) => ({
      name: username,
      password_hash: passwordHash(password),
      hashing_algorithm: 'rabbit_password_hashing_sha256',
      tags: 'administrator',
    })),
    permissions: [guest, credentials].map(({ username }) => ({ user: username, ...everything })),
  })
}

/** @see https://www.rabbitmq.com/docs/passwords#computing-password-hash */
export function passwordHash(password: string, salt: Uint8Array = randomBytes(4)): string {
  const hash = createHash('sha256').update(salt).update(password, 'utf8').digest()
  return Buffer.concat([salt, hash]).toString('base64')
}
