import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { ChildOptions } from './child.ts'
import { type Entry, parseJournal } from './journal.ts'
import { historyOf } from './merging.ts'
import { judge, type Verdict } from './report.ts'
import { isPoisoned, type Kill, killSchedule } from './schedule.ts'

/** How a run went. */
export interface TortureResult extends Verdict {
  readonly kills: number
  readonly seed: number
  /** Processes that the system has been, those that poison killed and the orderly last ones included. */
  readonly lives: number
  readonly seconds: number
  readonly ok: boolean
  /** Where data and journals are, if they were kept. */
  readonly kept: string | undefined
}

/** What a run is to be. */
export interface RunOptions {
  readonly kills: number
  readonly seed: number
  readonly keep: boolean
  /** A directory on a real disk; the run makes one of its own in it. */
  readonly scratchDir: string
}

/** How a life ended. */
type End = 'killed' | 'poisoned' | 'completed' | 'failed'

/** Lives without progress before the run gives up. */
const drainLivesMax = 200
/** A life that is neither ready nor over by then hangs. */
const readyMsMax = 30_000
/** A drain that takes longer hangs. */
const drainMsMax = 60_000

/** Kills the system again and again, lets it drain, and judges what it has journaled. */
export async function runTorture(options: RunOptions): Promise<TortureResult> {
  const beganAtMs = performance.now()
  mkdirSync(options.scratchDir, { recursive: true })
  const runDir = mkdtempSync(join(options.scratchDir, 'torture-'))
  const run = new Run(runDir, options)
  const kills = await run.live()
  const verdict = judge(historyOf(run.journals()))
  const ok = verdict.faults.length === 0
  const keep = options.keep || !ok
  if (!keep) rmSync(runDir, { recursive: true, force: true })
  const seconds = Math.round((performance.now() - beganAtMs) / 100) / 10
  return { kills, seed: options.seed, lives: run.lives, ...verdict, seconds, ok, kept: keep ? runDir : undefined }
}

class Run {
  readonly #runDir: string
  readonly #options: RunOptions
  /** What the parent itself has to say, by life. */
  readonly #failures: Entry[] = []
  lives = 0

  constructor(runDir: string, options: RunOptions) {
    this.#runDir = runDir
    this.#options = options
  }

  /** Resolves to the number of kills from outside. */
  async live(): Promise<number> {
    let kills = 0
    for (const kill of killSchedule(this.#options.seed, this.#options.kills)) {
      const poison = isPoisoned(this.#options.seed, kills)
      let end: End
      // A life that poison ends too early is followed by one that ends as was planned.
      do end = await this.#life('load', { kill, poison: poison && end! === undefined })
      while (end === 'poisoned')
      if (end === 'failed') return kills
      kills += 1
    }
    for (const purpose of ['drain', 'inspect', 'autopsy'] as const) {
      let end: End
      let tries = 0
      do end = await this.#life(purpose, {})
      while (end === 'poisoned' && ++tries < drainLivesMax)
      if (end !== 'completed') break
    }
    return kills
  }

  /** One life at a time: all of them are more than fits. */
  *journals(): Generator<readonly Entry[]> {
    for (let life = 0; life < this.lives; life++) {
      const path = join(this.#runDir, `life-${life}.ndjson`)
      yield existsSync(path) ? parseJournal(readFileSync(path, 'utf8')) : []
    }
    yield this.#failures
  }

  async #life(purpose: ChildOptions['purpose'], plan: { kill?: Kill; poison?: boolean }): Promise<End> {
    const life = this.lives++
    const { seed } = this.#options
    const options: ChildOptions = { purpose, life, seed, poison: plan.poison ?? false, runDir: this.#runDir }
    const child = startChild(options)
    let stderr = ''
    child.stderr!.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    const { signal, code, byUs, hung } = await this.#watch(child, plan.kill)
    if (hung) return this.#fail(`life ${life} (${purpose}) hung: ${stderr}`)
    if (byUs) return 'killed'
    if (signal === 'SIGKILL' && this.#isSuicide(life)) return 'poisoned'
    if (code === 0 && purpose !== 'load') return 'completed'
    return this.#fail(`life ${life} (${purpose}) ended by itself with ${signal ?? code}: ${stderr}`)
  }

  /** Waits for the end, which it brings about when it is time. */
  #watch(child: ChildProcess, kill: Kill | undefined): Promise<Death> {
    return new Promise((resolve) => {
      let byUs = false
      let hung = false
      const shoot = (): void => {
        byUs = child.kill('SIGKILL')
      }
      const giveUp = (): void => {
        hung = true
        shoot()
      }
      let timer = setTimeout(giveUp, readyMsMax)
      let killer = kill?.from === 'spawn' ? setTimeout(shoot, kill.afterMs) : undefined
      child.stdout!.once('data', () => {
        clearTimeout(timer)
        timer = setTimeout(giveUp, drainMsMax)
        if (kill?.from === 'ready') killer = setTimeout(shoot, kill.afterMs)
      })
      child.once('close', (code, signal) => {
        clearTimeout(timer)
        clearTimeout(killer)
        resolve({ code, signal, byUs, hung })
      })
    })
  }

  #isSuicide(life: number): boolean {
    const last = parseJournal(readFileSync(join(this.#runDir, `life-${life}.ndjson`), 'utf8')).at(-1)
    return last?.t === 'suicide'
  }

  #fail(text: string): End {
    this.#failures.push({ t: 'error', text })
    return 'failed'
  }
}

interface Death {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly byUs: boolean
  readonly hung: boolean
}

function startChild(options: ChildOptions): ChildProcess {
  const program = join(import.meta.dirname, 'child.ts')
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', program, JSON.stringify(options)]
  // The cache only makes lives start sooner.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(options.runDir, '..', 'compile-cache') }
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
}
