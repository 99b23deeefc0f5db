import { parseArgs } from 'node:util'

/** What the command line says. */
export interface TortureOptions {
  /** How often the system is killed from outside. */
  readonly kills: number
  readonly seed: number
  readonly json: boolean
  /** Whether the data and journals are kept though all is well. */
  readonly keep: boolean
}

/** How to call it. */
export const usage = 'npm run torture -- [--kills N] [--seed S] [--json] [--keep]'

const killsMax = 100_000
const seedMax = 2 ** 31 - 1

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseOptions(args: readonly string[], randomSeed: () => number): TortureOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: 'string', default: '20' },
      seed: { type: 'string' },
      json: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
    },
  })
  const mistakes: string[] = []
  const number = (name: string, text: string, max: number): number => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || value > max)
      mistakes.push(`--${name} must be a whole number from 0 to ${max}, not '${text}'`)
    return value
  }
  const kills = number('kills', values.kills, killsMax)
  const seed = values.seed === undefined ? randomSeed() : number('seed', values.seed, seedMax)
  if (mistakes.length > 0) throw new Error(`${mistakes.join('; ')}\n${usage}`)
  return { kills, seed, json: values.json, keep: values.keep }
}
