import { parseArgs } from 'node:util'

/** What the command line says. */
export interface BenchCommand {
  readonly bench: string
  readonly json: boolean
  /** Whether the figures are written to `results/`. */
  readonly save: boolean
  /** Whether a profile is taken instead of figures. */
  readonly profile: boolean
  readonly rounds: number
  /** Which engine alone; all of them if undefined. */
  readonly engine: string | undefined
}

/** What there is to be named. */
export interface BenchNames {
  readonly benches: readonly string[]
  /** Those that a benchmark may be limited to, by the benchmark. */
  readonly engines: Readonly<Record<string, readonly string[]>>
}

/** How to call it. */
export const usage =
  'npm run bench -- <name> [--engine NAME] [--json] [--save] [--rounds N] | <name> [--engine NAME] --profile'

const roundsDefault = 5
const roundsMax = 1_000

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseCommand(args: readonly string[], { benches, engines }: BenchNames): BenchCommand {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      rounds: { type: 'string', default: String(roundsDefault) },
      engine: { type: 'string' },
    },
  })
  const mistakes: string[] = []
  const [bench = '', ...more] = positionals
  if (!benches.includes(bench) || more.length > 0) mistakes.push(`name one benchmark of ${benches.join(', ')}`)
  const { engine } = values
  const known = engines[bench] ?? []
  if (engine !== undefined && !known.includes(engine)) {
    mistakes.push(known.length > 0 ? `--engine must be one of ${known.join(', ')}` : `${bench} takes no --engine`)
  }
  const rounds = Number(values.rounds)
  if (!/^\d+$/.test(values.rounds) || rounds < 1 || rounds > roundsMax) {
    mistakes.push(`--rounds must be a whole number from 1 to ${roundsMax}, not '${values.rounds}'`)
  }
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  return { bench, json: values.json, save: values.save, profile: values.profile, rounds, engine }
}
