import process from 'node:process'
import { keysCases, leftMbMax, measureKeys } from './memory.ts'
import { modelFiles, modelOf } from './models.ts'
import { type NightlyOptions, parseOptions } from './options.ts'

/** How one check went. */
interface Outcome {
  readonly name: string
  readonly seconds: number
  /** What there was of it: steps, megabytes. */
  readonly figures: Readonly<Record<string, number>>
  readonly fault: string | undefined
}

const memory = 'memory'
const files = modelFiles()
const options = readOptions()
const outcomes: Outcome[] = []
for (const [name, file] of files) {
  if (isWanted(name)) outcomes.push(await timed(name, () => runModel(file, options)))
}
if (isWanted(memory)) outcomes.push(await timed(memory, runMemory))
const ok = outcomes.every(({ fault }) => fault === undefined)
if (options.json) process.stdout.write(`${JSON.stringify({ seed: options.seed, ok, outcomes })}\n`)
else process.stdout.write(ok ? 'ok\n' : 'NOT ok\n')
process.exitCode = ok ? 0 : 1

function readOptions(): NightlyOptions {
  try {
    const names = [...files.keys(), memory]
    return parseOptions(process.argv.slice(2), { names, randomSeed: () => Math.floor(Math.random() * 2 ** 31) })
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

function isWanted(name: string): boolean {
  return options.only === undefined || options.only === name
}

async function timed(name: string, run: () => Promise<Outcome['figures']>): Promise<Outcome> {
  const beganAtMs = performance.now()
  const { figures, fault } = await run().then(
    (done) => ({ figures: done, fault: undefined }),
    (error: unknown) => ({ figures: {}, fault: error instanceof Error ? error.message : String(error) }),
  )
  const outcome = { name, seconds: Math.round((performance.now() - beganAtMs) / 100) / 10, figures, fault }
  if (!options.json) process.stdout.write(lineOf(outcome))
  return outcome
}

function lineOf({ name, seconds, figures, fault }: Outcome): string {
  const shown = Object.entries(figures).map(([figure, value]) => `${figure} ${value.toLocaleString('en')}`)
  return `${name.padEnd(20)} ${seconds.toFixed(1).padStart(7)} s  ${fault ?? shown.join(', ')}\n`
}

async function runModel(file: string, { steps, seed }: NightlyOptions): Promise<Outcome['figures']> {
  return { steps: await (await modelOf(file)).run({ steps, seed }) }
}

async function runMemory(): Promise<Outcome['figures']> {
  const figures: Record<string, number> = {}
  for (const one of keysCases) {
    const { leftMb } = await measureKeys(one)
    const { keys, ...settings } = one
    const name = `MB left by ${keys.toLocaleString('en')} keys ${JSON.stringify(settings)}`
    figures[name] = Math.round(leftMb * 10) / 10
    if (leftMb > leftMbMax) throw new Error(`${name}: ${leftMb}, at most ${leftMbMax}`)
  }
  return figures
}
