import { spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { FuzzLine } from './child.ts'
import { type FuzzOptions, parseOptions } from './options.ts'

/** Longer than this nothing is said only where something hangs. */
const silenceMsMax = 120_000
/** What may stay in memory after any number of inputs, beyond what the first ones left. */
const leftMbMax = 32

interface Outcome {
  readonly ok: boolean
  readonly seed: number
  readonly inputs: number
  readonly seconds: number
  /** On the heap and in buffers, after the first inputs and after the last. */
  readonly heldMb: { readonly first: number; readonly last: number }
  readonly residentMbMost: number
  readonly figures: object
  readonly fault: string | undefined
}

const options = readOptions()
const outcome = await run(options)
process.stdout.write(options.json ? `${JSON.stringify(outcome)}\n` : textOf(outcome))
process.exitCode = outcome.ok ? 0 : 1

function readOptions(): FuzzOptions {
  try {
    return parseOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 31))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

async function run(options: FuzzOptions): Promise<Outcome> {
  const { inputs, from, seed } = options
  const beganAtMs = performance.now()
  const held: number[] = []
  let residentMbMost = 0
  let done = 0
  let figures: object = {}
  let fault: string | undefined
  for await (const line of linesOf(options)) {
    if ('fault' in line) fault = line.fault
    else if ('figures' in line) figures = line.figures
    else {
      done = line.done
      held.push(line.heldMb)
      residentMbMost = Math.max(residentMbMost, line.residentMb)
      if (process.stderr.isTTY) process.stderr.write(`\r${done.toLocaleString('en')} of ${inputs.toLocaleString('en')}`)
    }
  }
  if (process.stderr.isTTY) process.stderr.write('\n')
  const [first = 0] = held
  const last = held.at(-1) ?? 0
  if (done < inputs) fault ??= `hangs, or was killed, after input ${from + done} of seed ${seed}`
  if (last - first > leftMbMax) fault ??= `${Math.round(last - first)} MB stay in memory, at most ${leftMbMax} may`
  const seconds = Math.round((performance.now() - beganAtMs) / 1000)
  const heldMb = { first: rounded(first), last: rounded(last) }
  return {
    ok: fault === undefined,
    seed,
    inputs: done,
    seconds,
    heldMb,
    residentMbMost: Math.round(residentMbMost),
    figures,
    fault,
  }
}

/** What the process says that does the work; it is killed when it says nothing for too long. */
async function* linesOf(options: FuzzOptions): AsyncGenerator<FuzzLine> {
  const program = join(import.meta.dirname, 'child.ts')
  const child = spawn(process.execPath, ['--expose-gc', '--conditions=source', program, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const kill = (): boolean => child.kill('SIGKILL')
  process.on('exit', kill)
  let silence = setTimeout(kill, silenceMsMax)
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(silence)
    silence = setTimeout(kill, silenceMsMax)
    yield JSON.parse(line) as FuzzLine
  }
  clearTimeout(silence)
  process.off('exit', kill)
}

function rounded(mb: number): number {
  return Math.round(mb * 10) / 10
}

function textOf({ ok, seed, inputs, seconds, heldMb, residentMbMost, figures, fault }: Outcome): string {
  const counts = Object.entries(figures).map(([name, count]) => `${name} ${Number(count).toLocaleString('en')}`)
  const lines = [
    `${inputs.toLocaleString('en')} inputs of seed ${seed} in ${seconds} s: ${counts.join(', ')}`,
    `in memory ${heldMb.first} MB after the first, ${heldMb.last} MB after the last; the process had ${residentMbMost} MB at most`,
    ok ? 'ok' : `NOT ok: ${fault}`,
  ]
  return `${lines.join('\n')}\n`
}
