import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { probeNats } from '../probes/nats.ts'
import type { Place, Program, Recipe, ServerName } from '../recipe.ts'
import { run } from '../sources/command.ts'
import { hasApt, installPackage } from '../sources/debian.ts'
import { goProgram } from '../sources/go.ts'
import { missing } from '../sources/missing.ts'
import { findExecutable } from '../sources/path.ts'

const executable = 'nats-server'
const module = 'github.com/nats-io/nats-server/v2'

/** The first version that keeps schedules by itself. */
const scheduling = '2.12'

/** NATS with JetStream as it is today; an older one, with a note, where only that is to be had. */
export const nats: Recipe = recipe('nats', { main: 24232, tls: 24242 }, async () => {
  const installed = findExecutable(executable)
  if (installed && isAtLeast(await versionOf(installed), scheduling)) return { path: installed }
  const built = await goProgram({ module, version: 'v2.12.2', executable })
  if (built) return { path: built }
  const older = installed ?? (await fromDebian())
  if (!older) throw missing('nats', [`install nats-server ${scheduling}, so that it is on the PATH`, 'install Go'])
  return { path: older, note: `older than ${scheduling}: install Go, or nats-server ${scheduling}, to get schedules` }
})

/** NATS before it could schedule, of the version that Debian 12 has. */
export const nats29: Recipe = recipe('nats-2.9', { main: 24233, tls: 24243 }, async () => {
  const installed = findExecutable(executable)
  if (installed && (await versionOf(installed)).startsWith('2.9.')) return { path: installed }
  const built = await goProgram({ module, version: 'v2.9.25', executable })
  if (built) return { path: built }
  const packaged = installed ? undefined : await fromDebian()
  if (packaged && (await versionOf(packaged)).startsWith('2.9.')) return { path: packaged }
  throw missing('nats-2.9', ['install nats-server 2.9, so that it is on the PATH', 'install Go'])
})

function recipe(name: ServerName, ports: Recipe['ports'], find: () => Promise<Program>): Recipe {
  return {
    name,
    kind: 'nats',
    ports,
    probe: probeNats,
    find,
    async prepare({ path }, place) {
      const { dir, ports, tls } = place
      const plain = configFile(dir, 'plain', natsConfig(place))
      const launches = [{ command: path, args: ['--config', plain], listensOn: ports.main }] as const
      const url = `nats://127.0.0.1:${ports.main}`
      if (!tls) return { launches, url }
      // A server of its own: one that offers both would make clients that ask for neither encrypt.
      const secure = configFile(dir, 'secure', natsTlsConfig(place))
      const second = { command: path, args: ['--config', secure], listensOn: ports.tls as number }
      return { launches: [...launches, second], url, tlsUrl: `tls://127.0.0.1:${ports.tls}` }
    },
  }
}

/** The server without encryption and without users. */
export function natsConfig({ name, dir, ports }: Place): string {
  return `server_name: "${name}"
host: "127.0.0.1"
port: ${ports.main}
jetstream { store_dir: "${join(dir, 'plain')}" }
`
}

/** The server that asks for TLS and a user. */
export function natsTlsConfig({ name, dir, ports, tls, credentials }: Place): string {
  return `server_name: "${name}-secure"
host: "127.0.0.1"
port: ${ports.tls}
jetstream { store_dir: "${join(dir, 'secure')}" }
tls { cert_file: "${tls?.serverCertFile}", key_file: "${tls?.serverKeyFile}", ca_file: "${tls?.caFile}" }
authorization { user: "${credentials.username}", password: "${credentials.password}" }
`
}

function configFile(dir: string, name: string, text: string): string {
  mkdirSync(join(dir, name), { recursive: true })
  const file = join(dir, `${name}.conf`)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}

async function fromDebian(): Promise<string | undefined> {
  if (!hasApt()) return undefined
  await installPackage(executable)
  return findExecutable(executable)
}

async function versionOf(path: string): Promise<string> {
  return versionIn(await run([path, '--version']))
}

/** Reads `nats-server: v2.12.2`. */
export function versionIn(output: string): string {
  return /v?(\d+\.\d+\.\d+)/.exec(output)?.[1] ?? '0.0.0'
}

/** Whether a version is the other one or newer, by their first two numbers. */
export function isAtLeast(version: string, other: string): boolean {
  const [[major = 0, minor = 0], [otherMajor = 0, otherMinor = 0]] = [version, other].map((each) =>
    each.split('.').map(Number),
  ) as [number[], number[]]
  return major > otherMajor || (major === otherMajor && minor >= otherMinor)
}
