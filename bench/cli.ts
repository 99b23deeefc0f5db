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
}

/** How to call it. */
export const usage = 'npm run bench -- <name> [--json] [--save] [--rounds N] | <name> --profile'

const roundsDefault = 5
const roundsMax = 1_000

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseCommand(args: readonly string[], benches: readonly string[]): BenchCommand {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      profile: { type: 'boolean', default: false },
      rounds: { type: 'string', default: String(roundsDefault) },
    },
  })
  const mistakes: string[] = []
  const [bench = '', ...more] = positionals
  if (!benches.includes(bench) || more.length > 0) mistakes.push(`name one benchmark of ${benches.join(', ')}`)
  const rounds = Number(values.rounds)
  if (!/^\d+$/.test(values.rounds) || rounds < 1 || rounds > roundsMax) {
    mistakes.push(`--rounds must be a whole number from 1 to ${roundsMax}, not '${values.rounds}'`)
  }
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  return { bench, json: values.json, save: values.save, profile: values.profile, rounds }
}
