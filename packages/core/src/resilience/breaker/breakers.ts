import type { Call, Filter } from '@posthaste/contracts'
import { functionOption, integerOption, readOptions } from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { type Breaker, type BreakerOptions, breaker } from './breaker.ts'

/** How calls are told apart. */
export interface KeyingOptions {
  /** Which breaker a call belongs to. Must have few values: methods and endpoints, never ids or URLs. Default: its target. */
  readonly key?: ((call: Call) => string) | undefined
  /** How many breakers there are at most, 1 to 100,000; the one used longest ago goes first. Default: 1,000. */
  readonly keysMax?: number | undefined
}

/** One breaker per key, all set the same, made when a key first comes. */
export interface BreakersOptions extends KeyingOptions {
  readonly breaker?: BreakerOptions | undefined
}

const targetOf = (call: Call): string => call.target

/**
 * A breaker for each target behind one filter, so that a failing method does not stop its healthy neighbours. Says
 * nothing about readiness: which target a call is for is not known before it comes.
 *
 * @throws CONFIG_INVALID when options are wrong
 */
export function breakers(options: BreakersOptions, deps: FilterDeps): Filter {
  const { key, keysMax, ...rest } = readOptions('breakers', options, {
    options: {
      key: functionOption<(call: Call) => string>(targetOf),
      keysMax: integerOption(1_000, { min: 1, max: 100_000 }),
      breaker: {
        fallback: {},
        expects: 'the options of a breaker',
        accepts: (value) => typeof value === 'object' && value !== null,
      },
    },
  })
  const settings = rest.breaker
  // Reports mistakes now instead of with the first call.
  const { state: _, ...description } = breaker(settings, deps).describe()
  /** From the one used longest ago to the latest. */
  const byKey = new Map<string, Breaker>()

  const breakerOf = (call: Call): Breaker => {
    const name = key(call)
    const known = byKey.get(name)
    if (known !== undefined) byKey.delete(name)
    const one = known ?? breaker(settings, { ...deps, target: name })
    byKey.set(name, one)
    if (byKey.size > keysMax) byKey.delete(byKey.keys().next().value ?? name)
    return one
  }

  return {
    role: 'breaker',
    apply: (call, next) => breakerOf(call).apply(call, next),
    describe: () => ({
      ...description,
      role: 'breaker',
      keys: byKey.size,
      notClosed: [...byKey].flatMap(([name, { state }]) => (state === 'closed' ? [] : [{ key: name, state }])),
    }),
  }
}
