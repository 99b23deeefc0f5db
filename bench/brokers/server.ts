import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { accessSync, closeSync, constants, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import process from 'node:process'

/** How a server is started. */
export interface ServerCommand {
  readonly file: string
  readonly args: readonly string[]
  /** Added to this process's own. */
  readonly env?: Readonly<Record<string, string>>
  /** Scratch directory: works there and writes its output there. */
  readonly dir: string
}

/** A server that this process has started. */
export interface Server {
  /** Rejects when the server ends before. */
  until(ready: () => Promise<boolean>): Promise<void>
  /** Kills it, and whatever it started in its process group. Its data is scratch, so there is nothing to end in order. */
  stop(): Promise<void>
}

/** Groups of processes that have to go, whatever way this one ends. */
const running = new Set<number>()

function killAll(): void {
  for (const pid of running) killGroup(pid)
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

process.once('exit', killAll)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killAll()
    process.kill(process.pid, signal)
  })
}

const readyWithinMs = 60_000

/** Starts a server in a process group of its own. */
export function startServer({ file, args, env, dir }: ServerCommand): Server {
  const outputPath = join(dir, 'output.log')
  const output = openSync(outputPath, 'a')
  const child = spawn(file, args, {
    cwd: dir,
    env: { ...process.env, ...env },
    detached: true,
    stdio: ['ignore', output, output],
  })
  closeSync(output)
  const { pid } = child
  if (pid !== undefined) running.add(pid)
  const ended = endOf(child)
  return {
    async until(ready) {
      const lateAtMs = performance.now() + readyWithinMs
      const isOver = ended.then(() => true)
      while (!(await ready())) {
        const over = await Promise.race([isOver, new Promise<false>((resolve) => setTimeout(resolve, 50, false))])
        if (!over && performance.now() < lateAtMs) continue
        throw new Error(`${file} ${over ? 'ended' : 'was not ready in time'}: ${readFileSync(outputPath, 'utf8')}`)
      }
    },
    async stop() {
      if (pid === undefined) return
      killGroup(pid)
      await ended
      running.delete(pid)
    },
  }
}

function endOf(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
}

/** The first of these programs that is installed: a path, or a name to look up. */
export function installed(...candidates: readonly string[]): string | undefined {
  const dirs = (process.env.PATH ?? '').split(delimiter).filter((dir) => dir !== '')
  return candidates
    .flatMap((candidate) => (candidate.includes('/') ? [candidate] : dirs.map((dir) => join(dir, candidate))))
    .find(isExecutable)
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What a program prints when asked, or '' where it fails. */
export function answerOf(file: string, args: readonly string[]): string {
  const { status, stdout } = spawnSync(file, args, { encoding: 'utf8' })
  return status === 0 ? stdout : ''
}

/** A port of the loopback interface that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve((address as { port: number }).port))
    })
  })
}
