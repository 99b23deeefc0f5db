import { parseArgs } from 'node:util'

/** What the command line says. */
export interface ConformanceCommand {
  /** Names of engines of this repository, `all` of them, or paths of modules that export a `harness`. */
  readonly engines: readonly string[]
  readonly json: boolean
  readonly mutants: boolean
  /** Ids of the guarantees to run; all if absent. */
  readonly only: readonly string[] | undefined
  readonly seed: number | undefined
  /** Multiplies the volumes; as the harness says if absent, which is 1 by default. */
  readonly scale: number | undefined
  /** How many installations are in use at the same time; what the harness says if absent. */
  readonly parallel: number | undefined
  /** Keeps the runs and writes docs/guarantees.md; without an engine, from the runs that are kept. */
  readonly writeDocs: boolean
  /** Whether each case is told as it ends. */
  readonly verbose: boolean
}

/** How to call it. */
export const usage =
  'npm run conformance -- --engine NAME|PATH|all … [--json] [--no-mutants] [--only G07,G08] [--seed S] [--scale X] [--parallel N] [--write-docs] [--verbose]'

/** As the kit tells them when a random program fails. */
const seedMin = -(2 ** 31)
const seedMax = 2 ** 31 - 1
const scaleMax = 1_000
const parallelMax = 64

/**
 * Reads the command line.
 * @throws Error naming every mistake
 */
export function parseCommand(args: readonly string[]): ConformanceCommand {
  const { values } = parseArgs({
    args: [...args],
    allowNegative: true,
    options: {
      engine: { type: 'string', multiple: true, default: [] },
      json: { type: 'boolean', default: false },
      mutants: { type: 'boolean', default: true },
      only: { type: 'string' },
      seed: { type: 'string' },
      scale: { type: 'string' },
      parallel: { type: 'string' },
      'write-docs': { type: 'boolean', default: false },
      verbose: { type: 'boolean', default: false },
    },
  })
  const only = values.only?.split(',')
  const seed = values.seed === undefined ? undefined : Number(values.seed)
  const scale = values.scale === undefined ? undefined : Number(values.scale)
  const parallel = values.parallel === undefined ? undefined : Number(values.parallel)
  const mistakes = [
    [
      values.engine.length > 0 || values['write-docs'],
      '--engine is needed: a name like memory or redis, all, or the path of a module that exports a harness',
    ],
    [only === undefined || only.every((id) => /^G\d+$/.test(id)), `--only must be ids like G07, not '${values.only}'`],
    [
      seed === undefined || (Number.isInteger(seed) && seed >= seedMin && seed <= seedMax),
      `--seed must be a whole number from ${seedMin} to ${seedMax}, not '${values.seed}'`,
    ],
    [
      parallel === undefined || (Number.isInteger(parallel) && parallel >= 1 && parallel <= parallelMax),
      `--parallel must be a whole number from 1 to ${parallelMax}, not '${values.parallel}'`,
    ],
    [
      scale === undefined || (scale > 0 && scale <= scaleMax),
      `--scale must be a number above 0, at most ${scaleMax}, not '${values.scale}'`,
    ],
    [
      !values['write-docs'] || (only === undefined && values.mutants && scale === undefined),
      '--write-docs shows a whole run: leave out --only, --scale and --no-mutants',
    ],
  ] as const
  const wrong = mistakes.filter(([isRight]) => !isRight).map(([, message]) => message)
  if (wrong.length > 0) throw new Error(`${wrong.join('; ')}\n${usage}`)
  const { engine: engines, json, mutants, verbose } = values
  return { engines, json, mutants, only, seed, scale, parallel, writeDocs: values['write-docs'], verbose }
}
