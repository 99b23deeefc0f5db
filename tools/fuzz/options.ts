import { parseArgs } from 'node:util'

/** What the command line says. */
export interface FuzzOptions {
  /** How many inputs there are. */
  readonly inputs: number
  /** Number of the first one. */
  readonly from: number
  readonly seed: number
  readonly json: boolean
}

/** How to call it. */
export const usage = 'npm run fuzz -- [--inputs N] [--seed S] [--from N] [--json]'

const inputsDefault = 10_000_000
const inputsMax = 1_000_000_000
const seedMax = 2 ** 31 - 1

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseOptions(args: readonly string[], randomSeed: () => number): FuzzOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      inputs: { type: 'string', default: String(inputsDefault) },
      from: { type: 'string', default: '0' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const mistakes: string[] = []
  const number = (name: 'inputs' | 'from' | 'seed', [least, most]: readonly [number, number]): number => {
    const text = values[name] ?? ''
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most)
      mistakes.push(`--${name} must be a whole number from ${least} to ${most}, not '${text}'`)
    return value
  }
  const inputs = number('inputs', [1, inputsMax])
  const from = number('from', [0, inputsMax])
  const seed = values.seed === undefined ? randomSeed() : number('seed', [0, seedMax])
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  return { inputs, from, seed, json: values.json }
}
