import { type Filter, PosthasteError } from '@posthaste/contracts'
import type { OptionSpec } from '../../pipeline/options.ts'

/**
 * One policy, as an application asks for it: its options; a filter that exists already, so that several stacks share it and
 * what it knows; or `false` for none, whatever a preset says.
 */
export type Policy<Options> = Options | Filter | false | undefined

/**
 * The filter of a policy; undefined where there is to be none.
 *
 * @throws CONFIG_INVALID when a filter is given that has another role, and what `make` throws
 */
export function filterOf<Options extends object>(
  role: string,
  given: Policy<Options>,
  make: (options: Options) => Filter,
): Filter | undefined {
  if (given === undefined || given === false) return undefined
  if (!isFilter(given)) return make(given)
  if (given.role === role) return given
  const issue = { path: role, message: `must be options or a filter of this role, not a filter '${given.role}'` }
  throw new PosthasteError('CONFIG_INVALID', `${issue.path} ${issue.message}`, { issues: [issue] })
}

/** A policy among other options: what it holds is read by its filter. */
export const policyOption: OptionSpec<never> = {
  fallback: undefined as never,
  expects: 'an object of options, a filter, or false',
  accepts: (value) => value === false || (typeof value === 'object' && value !== null && !Array.isArray(value)),
}

/**
 * Options of a policy with those of a preset below them; what is no plain object of options stands for itself. An option that
 * is undefined is as good as left out.
 */
export function withDefaults<Options extends object>(
  given: Policy<Options>,
  defaults: Options | Filter,
): Policy<Options> {
  if (given === undefined) return defaults
  if (!isOptions(given) || !isOptions(defaults)) return given
  const said = Object.entries(given).filter(([, value]) => value !== undefined)
  return { ...defaults, ...(Object.fromEntries(said) as Options) }
}

function isOptions(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isFilter(value)
}

function isFilter(value: unknown): value is Filter {
  return typeof value === 'object' && value !== null && 'apply' in value && typeof value.apply === 'function'
}
