import { parseArgs } from 'node:util'
import { type NetworkedName, networkedEngines } from './engines.ts'

/** What the command line says. */
export interface FaultsCommand {
  readonly engines: readonly NetworkedName[]
  readonly seed: number
  /** How many faults happen, one after the other. */
  readonly rounds: number
  readonly json: boolean
  /** Whether the results are kept for the documentation. */
  readonly writeDocs: boolean
  readonly verbose: boolean
}

/** How to call it. */
export const usage = `npm run faults -- --engine ${networkedEngines.join('|')}|all … [--rounds N] [--seed S] [--json] [--write-docs] [--verbose]`

const seedMax = 2 ** 31 - 1
const roundsMax = 10_000

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseCommand(args: readonly string[], randomSeed: () => number): FaultsCommand {
  const { values } = parseArgs({
    args: [...args],
    options: {
      engine: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string', default: '9' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      'write-docs': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  })
  const known: readonly string[] = networkedEngines
  const asked = values.engine.flatMap((name) => (name === 'all' ? known : [name]))
  const strangers = asked.filter((name) => !known.includes(name))
  const mistakes: string[] = []
  if (asked.length === 0) mistakes.push('--engine is needed')
  if (strangers.length > 0) mistakes.push(`${strangers.join(', ')} has no server to have faults`)
  const whole = (name: string, text: string, [least, most]: readonly [number, number]): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      mistakes.push(`--${name} must be a whole number from ${least} to ${most}, not '${text}'`)
    return value
  }
  const rounds = whole('rounds', values.rounds, [1, roundsMax])
  const seed = values.seed === undefined ? randomSeed() : whole('seed', values.seed, [0, seedMax])
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  const { json, verbose } = values
  const engines = [...new Set(asked)] as readonly NetworkedName[]
  return { engines, seed, rounds, json, writeDocs: values['write-docs'], verbose }
}
