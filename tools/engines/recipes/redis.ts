import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { probeRedis } from '../probes/redis.ts'
import type { Place, Recipe } from '../recipe.ts'
import { executableOf } from '../sources/debian.ts'
import { missing } from '../sources/missing.ts'

/** Redis that has written what it confirms, and drops nothing. */
export const redis: Recipe = {
  name: 'redis',
  kind: 'redis',
  ports: { main: 26389, tls: 26390 },
  probe: probeRedis,
  async find() {
    const path = await executableOf('redis-server', 'redis-server')
    if (!path) throw missing('redis', ['install Redis 6.2 or newer, so that redis-server is on the PATH'])
    return { path }
  },
  async prepare({ path }, place) {
    const { dir, ports, tls } = place
    const file = join(dir, 'redis.conf')
    writeFileSync(file, redisConfig(place), { mode: 0o600 })
    return {
      launches: [{ command: path, args: [file], listensOn: ports.main }],
      url: `redis://127.0.0.1:${ports.main}`,
      tlsUrl: tls && `rediss://127.0.0.1:${ports.tls}`,
    }
  },
}

/** The whole of redis.conf; the default user stays as it is on the port without TLS. */
export function redisConfig({ dir, ports, tls, credentials }: Place): string {
  const lines = [
    'bind 127.0.0.1',
    `port ${ports.main}`,
    `dir "${dir}"`,
    'daemonize no',
    'appendonly yes',
    'appendfsync always',
    'save ""',
    'maxmemory-policy noeviction',
    `user ${credentials.username} on >${credentials.password} ~* &* +@all`,
  ]
  if (tls)
    lines.push(
      `tls-port ${ports.tls}`,
      `tls-ca-cert-file "${tls.caFile}"`,
      `tls-cert-file "${tls.serverCertFile}"`,
      `tls-key-file "${tls.serverKeyFile}"`,
      'tls-auth-clients optional',
    )
  return `${lines.join('\n')}\n`
}
