import { type Issue, PosthasteError } from '@posthaste/contracts'

/** What one option may be, and what it is where it was left out. */
export interface OptionSpec<T> {
  readonly fallback: T
  /** Completes the sentence "x must be …". */
  readonly expects: string
  accepts(value: unknown): boolean
  /** Whether leaving it out is a mistake. Default: false. */
  readonly required?: boolean
}

/** What a set of options may be. */
export interface OptionsSpec<S> {
  readonly options: { readonly [K in keyof S]: OptionSpec<S[K]> }
  /** Mistakes of options that are right by themselves but not together; asked only when each is right. */
  readonly together?: (settings: S) => readonly Issue[]
}

/**
 * Options with defaults filled in.
 *
 * @param what dotted path of the options object, as the user wrote it: `retry`, `orders.retry`
 * @throws CONFIG_INVALID with an issue per mistake: unknown options, wrong types, values out of bounds
 */
export function readOptions<S>(what: string, given: unknown, spec: OptionsSpec<S>): S {
  const issues: Issue[] = []
  const settings: Partial<S> = {}
  const values: Readonly<Record<string, unknown>> = isRecord(given) ? given : {}
  if (!isRecord(given)) issues.push({ path: what, message: `must be an object of options, not ${shown(given)}` })
  for (const name of Object.keys(values)) {
    if (!Object.hasOwn(spec.options, name)) {
      issues.push({
        path: `${what}.${name}`,
        message: `is not an option; there are ${Object.keys(spec.options).join(', ')}`,
      })
    }
  }
  for (const name in spec.options) {
    const option = spec.options[name]
    const value = values[name]
    if (value === undefined && option.required === true)
      issues.push({ path: `${what}.${name}`, message: `is missing; it must be ${option.expects}` })
    else if (value === undefined) settings[name] = option.fallback
    else if (option.accepts(value)) settings[name] = value as S[typeof name]
    else issues.push({ path: `${what}.${name}`, message: `must be ${option.expects}, not ${shown(value)}` })
  }
  if (issues.length === 0) issues.push(...(spec.together?.(settings as S) ?? []))
  refuseOptions(issues)
  return settings as S
}

/** The options that are right, and defaults for all others, so that what they hold can be checked beside those mistakes. */
export function soundOptions<S>(given: unknown, spec: OptionsSpec<S>): S {
  const settings: Partial<S> = {}
  const values: Readonly<Record<string, unknown>> = isRecord(given) ? given : {}
  for (const name in spec.options) {
    const { fallback, accepts } = spec.options[name]
    const value = values[name]
    settings[name] = value !== undefined && accepts(value) ? (value as S[typeof name]) : fallback
  }
  return settings as S
}

/**
 * Runs a step that reads what stands in the options at `what`.
 *
 * @throws CONFIG_INVALID with its mistakes, whose paths begin with `what`; anything else it throws passes as it is
 */
export function checkWithin<T>(what: string, step: () => T): T {
  try {
    return step()
  } catch (error) {
    if (PosthasteError.is(error, 'CONFIG_INVALID')) {
      refuseOptions(
        error.issues.map(({ path, message }) => ({ path: path === '' ? what : `${what}.${path}`, message })),
      )
    }
    throw error
  }
}

/**
 * Runs every step and reports the configuration mistakes of all of them in one error.
 *
 * @throws CONFIG_INVALID with the issues of every step that threw it; anything else a step throws passes at once
 */
export function checkTogether<T>(steps: readonly (() => T)[]): T[] {
  const issues: Issue[] = []
  const results: T[] = []
  for (const step of steps) {
    try {
      results.push(step())
    } catch (error) {
      if (!PosthasteError.is(error, 'CONFIG_INVALID')) throw error
      issues.push(...(error.issues.length > 0 ? error.issues : [{ path: '', message: error.message }]))
    }
  }
  refuseOptions(issues)
  return results
}

/** @throws CONFIG_INVALID listing the issues, if there are any */
export function refuseOptions(issues: readonly Issue[]): void {
  if (issues.length === 0) return
  const told = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
  throw new PosthasteError('CONFIG_INVALID', told.join('; '), { issues })
}

/** Least and greatest value, both allowed. */
export interface Bounds {
  readonly min: number
  readonly max: number
}

/** A number within bounds; `Infinity` only where `max` says so. */
export function numberOption(fallback: number, bounds: Bounds): OptionSpec<number> {
  return {
    fallback,
    expects: `a number from ${bounds.min} to ${bounds.max}`,
    accepts: (value) => within(value, bounds),
  }
}

/** A whole number within bounds. */
export function integerOption(fallback: number, bounds: Bounds): OptionSpec<number> {
  const accepts = (value: unknown): boolean => within(value, bounds) && Number.isInteger(value)
  return { fallback, expects: `a whole number from ${bounds.min} to ${bounds.max}`, accepts }
}

/** A duration in milliseconds, up to 24 days unless `max` says otherwise. */
export function durationOption(fallback: number, bounds: Partial<Bounds> = {}): OptionSpec<number> {
  const { min = 0, max = 2 ** 31 - 1 } = bounds
  return { fallback, expects: `milliseconds from ${min} to ${max}`, accepts: (value) => within(value, { min, max }) }
}

/** True or false. */
export function flagOption(fallback: boolean): OptionSpec<boolean> {
  return { fallback, expects: 'true or false', accepts: (value) => typeof value === 'boolean' }
}

/** A function; its parameters cannot be checked. */
export function functionOption<F>(fallback: F): OptionSpec<F> {
  return { fallback, expects: 'a function', accepts: (value) => typeof value === 'function' }
}

/** One of a few values. */
export function choiceOption<T extends string | number | boolean>(fallback: T, choices: readonly T[]): OptionSpec<T> {
  return {
    fallback,
    expects: `one of ${choices.map(shown).join(', ')}`,
    accepts: (value) => choices.some((choice) => choice === value),
  }
}

/** An option that may be left out and is then undefined. */
export function optional<T>(option: OptionSpec<T>): OptionSpec<T | undefined> {
  return { ...option, fallback: undefined }
}

/** An option that must be given. */
export function required<T>(option: OptionSpec<T>): OptionSpec<T> {
  return { ...option, required: true }
}

function within(value: unknown, { min, max }: Bounds): boolean {
  return typeof value === 'number' && value >= min && value <= max
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const shownMax = 60

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  const text = typeof value === 'string' ? `'${value}'` : String(value)
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text
}
