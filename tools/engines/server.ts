import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import process from 'node:process'
import type { RunningServer } from '@posthaste/conformance/server'
import { engineFolder, folder } from './folder.ts'
import { withLock } from './lock.ts'
import { anyPorts } from './ports.ts'
import { end, ended, signal } from './processes.ts'
import type { Place, Program, ServerName } from './recipe.ts'
import { recipes } from './recipes/all.ts'
import { type Started, start } from './start.ts'
import { certificates } from './tls.ts'

/** A server that belongs to one test or one run alone, and what can be done to it. */
export interface PrivateServer extends RunningServer {
  /** The port of `url`; the same after a restart. */
  readonly port: number
  /** The process that serves `url`; another one after a restart. */
  readonly pid: number
  /** Ends all its processes at once (`SIGKILL`) and waits until they have ended. */
  kill(): Promise<void>
  /** Stops all its processes where they are (`SIGSTOP`): connections stay, nothing is answered. */
  pause(): void
  /** Lets them go on. */
  resume(): void
  /** Starts it again on the same data and ports, after `kill`, or after stopping it in order; resolves when it is ready. */
  restart(): Promise<void>
  /** Ends it in order, killing it if that takes too long. Idempotent. */
  stop(): Promise<void>
}

/** Where a private server is to run. */
export interface PrivateServerOptions {
  /** Gets configuration, data and log; is made if it is not there, and is the caller's to remove. */
  readonly dir: string
  /** Whether it gets a port with TLS, too. Default: false. */
  readonly tls?: boolean | undefined
}

const endTimeoutMs = 20_000

/**
 * Starts a server of one's own on free ports and waits until it is ready. It survives this process only if that
 * is killed: stop it.
 * @throws Error with a remedy where it is not installed and cannot be, or with its log when it does not get ready
 */
export async function startServer(name: ServerName, options: PrivateServerOptions): Promise<PrivateServer> {
  const recipe = recipes[name]
  // Two that install the same at once would meet.
  const program = await withLock(folder(), () => recipe.find())
  mkdirSync(options.dir, { recursive: true })
  const place: Place = {
    name: `${name}-${randomUUID().slice(0, 8)}`,
    dir: options.dir,
    ports: await anyPorts(recipe.ports),
    tls: options.tls ? await withLock(folder(), async () => certificates(`${engineFolder}/tls`)) : undefined,
    credentials: { username: 'posthaste', password: randomUUID() },
  }
  return controlled(name, place, { program, started: await start(recipe, place, { program }) })
}

function controlled(name: ServerName, place: Place, first: { program: Program; started: Started }): PrivateServer {
  let { started } = first
  const signalAll = (what: NodeJS.Signals): void => {
    for (const each of started.processes) signal(each, what)
  }
  const killAll = (): void => signalAll('SIGKILL')
  process.on('exit', killAll)
  const { url, tlsUrl, version } = started
  const { caFile, certFile, keyFile } = place.tls ?? {}
  const secure = tlsUrl === undefined ? undefined : { tlsUrl, caFile, certFile, keyFile, ...place.credentials }
  return {
    name,
    url,
    version,
    ...secure,
    port: place.ports.main,
    get pid() {
      return started.pid
    },
    async kill() {
      signalAll('SIGKILL')
      for (const each of started.processes) await ended(each, endTimeoutMs)
    },
    pause: () => signalAll('SIGSTOP'),
    resume: () => signalAll('SIGCONT'),
    async restart() {
      await end(started.processes)
      started = await start(recipes[name], place, { program: first.program })
    },
    async stop() {
      await end(started.processes)
      process.off('exit', killAll)
    },
  }
}
