import { parseArgs } from 'node:util'

/** What the command line says. */
export interface NightlyOptions {
  /** How many steps each model makes at least. */
  readonly steps: number
  readonly seed: number
  /** Which check alone; all of them if undefined. */
  readonly only: string | undefined
  readonly json: boolean
}

/** How to call it. */
export const usage = 'npm run nightly -- [--steps N] [--seed S] [--only NAME] [--json]'

const stepsDefault = 1_000_000
const stepsMax = 1_000_000_000
const seedMax = 2 ** 31 - 1

/**
 * Reads the command line; `names` are the checks that there are.
 * @throws Error naming every mistake
 */
export function parseOptions(
  args: readonly string[],
  { names, randomSeed }: { readonly names: readonly string[]; randomSeed(): number },
): NightlyOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      steps: { type: 'string', default: String(stepsDefault) },
      seed: { type: 'string' },
      only: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  const mistakes: string[] = []
  const number = (name: string, text: string, [min, max]: readonly [number, number]): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < min || value > max)
      mistakes.push(`--${name} must be a whole number from ${min} to ${max}, not '${text}'`)
    return value
  }
  const steps = number('steps', values.steps, [1, stepsMax])
  const seed = values.seed === undefined ? randomSeed() : number('seed', values.seed, [0, seedMax])
  const { only, json } = values
  if (only !== undefined && !names.includes(only))
    mistakes.push(`--only must be one of ${names.join(', ')}, not '${only}'`)
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  return { steps, seed, only, json }
}
