import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { type Plan, type ProcessName, planVariable, serviceNames } from './plan.ts'

/** How the shop's processes are looked after. */
export interface SupervisorOptions {
  readonly plan: Plan
  /** Told of every process that has ended without being asked to, and is started again. */
  readonly onDied?: (name: ProcessName, how: string) => void
}

const serviceProgram = fileURLToPath(new URL('service.ts', import.meta.url))
const brokerStarter = fileURLToPath(new URL('broker.ts', import.meta.url))
/** The broker is a program, which nobody imports: it is started where it is installed. */
const brokerPackage = createRequire(import.meta.url).resolve('@posthaste/broker-service/package.json')
const brokerProgram = join(dirname(brokerPackage), 'src/main.ts')

/** Where node keeps what it has compiled when it is told to at all: a process that is started again begins sooner. */
const compileCache = join(tmpdir(), 'node-compile-cache')

const restartMs = 100
/** A process that ends soon after its start would be started again and again: then longer and longer is waited. */
const restartMsMax = 2_000
const soundMs = 5_000
const closeMs = 15_000
const lookMs = 50

/** Starts the processes of the shop, and starts again whatever dies. */
export class Supervisor {
  readonly #plan: Plan
  readonly #onDied: NonNullable<SupervisorOptions['onDied']>
  readonly #running = new Map<ProcessName, ChildProcess>()
  #closing: Promise<void> | undefined

  constructor({ plan, onDied = () => {} }: SupervisorOptions) {
    this.#plan = plan
    this.#onDied = onDied
  }

  /** Everything that can be killed. */
  get names(): readonly ProcessName[] {
    return ['broker', ...serviceNames]
  }

  /** Resolves once all of them are ready. */
  async start(): Promise<void> {
    await Promise.all(this.names.map((name) => this.#launch(name)))
  }

  /** Ends a process as nothing else does: at once, and without a word. @returns whether it was running */
  kill(name: ProcessName): boolean {
    return this.#running.get(name)?.kill('SIGKILL') ?? false
  }

  /** The services end first, since they need the broker for it. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all(serviceNames.map((name) => this.#end(name)))
    await this.#end('broker')
  }

  async #end(name: ProcessName): Promise<void> {
    const child = this.#running.get(name)
    if (child === undefined) return
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), closeMs)
    await once(child, 'close')
    clearTimeout(timer)
  }

  /** Resolves when it is ready for the first time; it is kept running from then on. */
  #launch(name: ProcessName, waitMs = restartMs): Promise<void> {
    const startedAtMs = performance.now()
    const child = name === 'broker' ? startBroker(this.#plan) : startService(name, this.#plan)
    this.#running.set(name, child)
    const ready = name === 'broker' ? listening(this.#plan.brokerUrl, child) : said(child)
    child.once('close', (code, signal) => {
      this.#running.delete(name)
      if (this.#closing !== undefined) return
      this.#onDied(name, signal ?? `exit code ${code}`)
      const isSound = performance.now() - startedAtMs > soundMs
      const nextMs = isSound ? restartMs : Math.min(restartMsMax, waitMs * 2)
      setTimeout(() => {
        if (this.#closing === undefined) void this.#launch(name, nextMs)
      }, waitMs)
    })
    return ready
  }
}

function startService(name: ProcessName, plan: Plan): ChildProcess {
  return startNode([serviceProgram, name], { [planVariable]: JSON.stringify(plan) }, 'inherit')
}

function startBroker({ dir, brokerUrl }: Plan): ChildProcess {
  const env = {
    POSTHASTE_BROKER_DATA_DIR: join(dir, 'broker'),
    POSTHASTE_BROKER_LISTEN: brokerUrl,
    POSTHASTE_BROKER_HEALTH_PORT: '0',
  }
  // It tells of each step of its life, which is none of the shop's.
  return startNode([brokerStarter, brokerProgram], env, 'ignore')
}

/** A process that ends where this one is gone, whose channel to it closes then. */
function startNode(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  errors: 'inherit' | 'ignore',
): ChildProcess {
  return spawn(process.execPath, [...process.execArgv, ...args], {
    env: { NODE_COMPILE_CACHE: compileCache, ...process.env, ...env },
    stdio: ['ignore', 'ignore', errors, 'ipc'],
    // A Ctrl-C at the terminal is for the supervisor, which ends its processes in their order.
    detached: true,
  })
}

function said(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('message', () => resolve())
    child.once('close', () => resolve())
  })
}

/** Resolves when somebody listens there, or the process has ended. */
async function listening(url: string, child: ChildProcess): Promise<void> {
  const { hostname, port } = new URL(url)
  while (child.exitCode === null && child.signalCode === null) {
    const socket = connect(Number(port), hostname)
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true))
      socket.once('error', () => resolve(false))
    })
    socket.destroy()
    if (isOpen) return
    await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
}
