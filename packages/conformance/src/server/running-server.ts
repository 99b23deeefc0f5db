import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { PosthasteError } from '@posthaste/contracts'
import { processStart } from './process.ts'

/** A real server that tests may use, and how to reach it. */
export interface RunningServer {
  /** The name it was asked for by: `rabbitmq`, `kafka`, `nats`, `nats-2.9`, `redis`. */
  readonly name: string
  /** Its address without encryption, e.g. `redis://127.0.0.1:26389`. */
  readonly url: string
  /** The server's own version; absent for a server named by the environment. */
  readonly version?: string | undefined
  /** Its address with TLS, where it asks for `username` and `password`; absent where it has none. */
  readonly tlsUrl?: string | undefined
  /** The certificate to trust, as PEM, in a file. */
  readonly caFile?: string | undefined
  /** A client's certificate that `caFile` signed, as PEM, in a file. */
  readonly certFile?: string | undefined
  /** The key of `certFile`, as PEM (PKCS #8), in a file. */
  readonly keyFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** One process of a server, told apart from a later one with the same id. */
export interface ServerProcess {
  readonly pid: number
  /** See {@link processStart}. */
  readonly start: string
}

/** What is kept about a server in `.cache/engines/<name>.json` by whoever started it. */
export interface ServerState extends RunningServer {
  /** In the order of their start; the server lives as long as all of them do. */
  readonly processes: readonly ServerProcess[]
}

/** Where to look; the defaults are the environment and working directory of this process. */
export interface RunningServerOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** Looked through first, then its parents, up to the root of a workspace. */
  readonly fromDir?: string | undefined
}

/** The variable that names a server of one's own: `POSTHASTE_RABBITMQ_URL`, `POSTHASTE_NATS_2_9_URL`. */
export function serverVariable(name: string): string {
  return `POSTHASTE_${name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}_URL`
}

/**
 * The server of that name that tests may use: the one the environment names ({@link serverVariable}), else the one that
 * `npm run engines -- up` has started in this workspace and that still runs. `undefined` where there is none, so that a
 * test can skip and say how to start it. Starts nothing and does not connect.
 */
export function runningServer(name: string, options: RunningServerOptions = {}): RunningServer | undefined {
  const { env = process.env, fromDir = process.cwd() } = options
  const url = env[serverVariable(name)]
  if (url) return { name, url }
  const state = stateOf(name, fromDir)
  if (!state?.processes.every(({ pid, start }) => processStart(pid) === start)) return undefined
  const { version, tlsUrl, caFile, certFile, keyFile, username, password } = state
  return { name, url: state.url, version, tlsUrl, caFile, certFile, keyFile, username, password }
}

/**
 * As {@link runningServer}, for who cannot go on without.
 * @throws FAILED_PRECONDITION where there is none, with how to start it
 */
export function requiredServer(name: string, options: RunningServerOptions = {}): RunningServer {
  const found = runningServer(name, options)
  if (found !== undefined) return found
  throw new PosthasteError('FAILED_PRECONDITION', `no ${name} is up`, {
    remedy: `Start it with \`npm run engines -- up ${name}\`, or name one in ${serverVariable(name)}.`,
  })
}

function stateOf(name: string, fromDir: string): ServerState | undefined {
  for (let dir = fromDir; ; dir = dirname(dir)) {
    const file = join(dir, '.cache/engines', `${name}.json`)
    if (existsSync(file)) return parse(file)
    if (isWorkspaceRoot(dir) || dirname(dir) === dir) return undefined
  }
}

/** A file that is being removed or is damaged tells of no server. */
function parse(file: string): ServerState | undefined {
  try {
    const state = JSON.parse(readFileSync(file, 'utf8')) as Partial<ServerState>
    return typeof state.url === 'string' && Array.isArray(state.processes) ? (state as ServerState) : undefined
  } catch {
    return undefined
  }
}

function isWorkspaceRoot(dir: string): boolean {
  try {
    const manifest = JSON.parse(readFileSync(join(dir, 'package.json'), 'utf8')) as { readonly workspaces?: unknown }
    return manifest.workspaces !== undefined
  } catch {
    return false
  }
}
