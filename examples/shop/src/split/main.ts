import { existsSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { progressOn } from '../replay/progress.ts'
import { replayInto } from '../replay/remote.ts'
import { dataDir, portOf, shown, UsageError, userPath, wholeNumber } from '../settings.ts'
import { Killer, seeded } from './killing.ts'
import { drawUpPlan } from './plan.ts'
import { Supervisor } from './supervisor.ts'

/** `npm run shop:split`: the shop as a process for each service, with a broker between them. */
const usage = `usage: npm run shop:split [-- --port <0-65535> --data <directory> --unpaid-ms <ms> --replay [--file <file.csv>] --kill --rounds <1-20> --seed <number> --stall-ms <ms>]
It serves the same API as npm start, until Ctrl-C. With --replay it feeds itself a file of orders, or the sample, and
ends with 0 only if the books balance; with --kill every process, the broker too, is killed with -9 while it does.`

try {
  process.exitCode = await run()
} catch (error) {
  process.stderr.write(shown(error, usage))
  process.exitCode = 1
}

async function run(): Promise<number> {
  const { path, port, dir, unpaidMs, stallMs, isReplay, isKill, rounds, seed } = readArguments()
  const plan = await drawUpPlan({ dir, port, unpaidMs })
  const onDied = (name: string, how: string): void =>
    void process.stderr.write(`${name} died: ${how}; starting it again\n`)
  const supervisor = new Supervisor({ plan, onDied })
  const signalled = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  try {
    await supervisor.start()
    const url = `http://127.0.0.1:${plan.port}`
    process.stdout.write(
      `the shop is open at ${url}, in ${supervisor.names.length} processes: ${supervisor.names.join(', ')}\n`,
    )
    if (!isReplay) {
      await signalled
      return 0
    }
    const { names } = supervisor
    const killer = new Killer({
      names,
      kill: (name) => supervisor.kill(name),
      rounds: isKill ? rounds : 0,
      random: seeded(seed),
    })
    const balanced = replay(path, { url, stallMs, killer })
    return (await Promise.race([balanced, signalled.then(() => false)])) ? 0 : 1
  } finally {
    await supervisor.close()
  }
}

interface ReplayOptions {
  readonly url: string
  readonly stallMs: number
  readonly killer: Killer
}

async function replay(path: string, { url, stallMs, killer }: ReplayOptions): Promise<boolean> {
  const progress = progressOn()
  try {
    const watched = killer.watching(progress)
    const { report, balanced, text } = await replayInto(path, { url, concurrency: 8, progress: watched, stallMs })
    progress.end()
    const told = `${path}: ${report.lines} lines, ${report.numbers.size} invoices; ${report.taken.size} taken`
    const killed = killer.killed.length === 0 ? '' : `\nkilled with -9 meanwhile: ${killer.killed.join(', ')}`
    const verdict = balanced ? 'The books balance.' : 'The books do NOT balance.'
    process.stdout.write(`${told}${killed}\n\n${text}\n\n${verdict}\n`)
    return balanced && killer.left === 0
  } finally {
    progress.end()
  }
}

function readArguments() {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: process.env.PORT ?? '8080' },
      data: { type: 'string' },
      'unpaid-ms': { type: 'string', default: '4000' },
      'stall-ms': { type: 'string', default: '60000' },
      replay: { type: 'boolean', default: false },
      kill: { type: 'boolean', default: false },
      file: { type: 'string' },
      rounds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
    },
  })
  const isKill = values.kill
  const isReplay = values.replay || isKill
  if (values.file !== undefined && !isReplay) throw new UsageError('--file is for --replay')
  const sample = fileURLToPath(new URL('../../sample/orders.csv', import.meta.url))
  const path = values.file === undefined ? sample : userPath(values.file)
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`)
  return {
    path,
    isReplay,
    isKill,
    dir: values.data === undefined ? join(dataDir(undefined), 'split') : userPath(values.data),
    port: portOf(values.port),
    unpaidMs: wholeNumber('--unpaid-ms', values['unpaid-ms'], 3_600_000),
    stallMs: wholeNumber('--stall-ms', values['stall-ms'], 3_600_000),
    rounds: Math.max(1, wholeNumber('--rounds', values.rounds, 20)),
    seed: wholeNumber('--seed', values.seed, 2 ** 32 - 1),
  }
}
