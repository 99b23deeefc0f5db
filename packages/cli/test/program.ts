import { spawn } from 'node:child_process'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { systemClock } from 'posthaste/pipeline'
import { type Ended, ended, type RunWith } from './rig.ts'

const main = join(import.meta.dirname, '../src/main.ts')

/** Where node keeps what it has compiled when it is told to at all: the program begins sooner. */
const compileCache = join(tmpdir(), 'node-compile-cache')

/** The program as a process. */
export interface Running {
  readonly ended: Promise<Ended>
  /** Resolves once it says so, with what stands in the parentheses. */
  says(wanted: RegExp): Promise<string>
  /** Gives it all of its standard input. */
  give(text: string): void
  kill(signal: NodeJS.Signals): void
  /** Reads its answer no further than to its beginning. */
  leave(): void
}

/** The program on real engines, in a directory of its own where `data` is that of its engine. */
export interface Program {
  readonly dir: string
  /** Runs a command line in this process, which is all that most need; a process takes many times as long. */
  cli(words: readonly string[], how?: RunWith): Promise<Ended>
  /** Starts it as a process, in its directory. */
  start(words: readonly string[]): Running
}

/** @param onFinished is told what to do when the test is over */
export async function program(onFinished: (work: () => Promise<void>) => void): Promise<Program> {
  const dir = await realpath(await mkdtemp(join(tmpdir(), 'posthaste-cli-')))
  const all: Running[] = []
  onFinished(async () => {
    for (const running of all) running.kill('SIGKILL')
    await Promise.all(all.map((running) => running.ended))
    await rm(dir, { recursive: true, force: true })
  })
  const engine = `embedded:${join(dir, 'data')}`
  return {
    dir,
    cli(words, how = {}) {
      const env = { POSTHASTE_ENGINE: engine, ...how.env }
      return ended(words, { how: { ...how, env }, clock: systemClock })
    },
    start(words) {
      const running = started(words, dir)
      all.push(running)
      return running
    },
  }
}

function started(words: readonly string[], cwd: string): Running {
  const env = { NODE_COMPILE_CACHE: compileCache, ...process.env, POSTHASTE_ENGINE: 'embedded:./data' }
  const child = spawn(process.execPath, ['--conditions=source', main, ...words], { cwd, env })
  const text = { out: '', err: '' }
  child.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()))
  child.stdin.on('error', () => {})
  return {
    ended: new Promise((resolve) => child.on('close', (code) => resolve({ code: code ?? -1, ...text }))),
    says: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = wanted.exec(text.out + text.err)
          if (found !== null) resolve(found[1] ?? found[0])
        }
        child.stdout.on('data', look)
        child.stderr.on('data', look)
        child.on('close', () => reject(new Error(`it ended: ${text.out}${text.err}`)))
        look()
      }),
    give: (all) => void child.stdin.end(all),
    kill: (signal) => void child.kill(signal),
    leave: () => void child.stdout.once('data', () => child.stdout.destroy()),
  }
}
