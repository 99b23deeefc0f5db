/** What was given for one option: nothing, that it is there, or its values. */
export type Given = undefined | true | readonly string[]

/** One option or argument: what it is called for people, and how it is read. */
export interface Option<T> {
  readonly about: string
  /** Stands for its value in the usage: `n`, `time`; absent for flags. */
  readonly value?: string | undefined
  /** May be given more than once. */
  readonly repeats?: boolean | undefined
  /** All that it may be, where that is a few words. */
  readonly choices?: readonly string[] | undefined
  /** What a shell completes it with. */
  readonly completes?: 'file' | 'directory' | undefined
  /** Where it is taken from when it is not given. */
  readonly variable?: string | undefined
  /** Told to people; undefined where there is none. */
  readonly fallback?: string | undefined
  /** Whether it must be given. */
  readonly required?: boolean | undefined
  /** @throws Mistake completing the sentence "--x …" */
  read(given: Given): T
}

/** Options by their long names. */
export type Options = Readonly<Record<string, Option<unknown>>>

/** What is read of them. */
export type Values<O extends Options> = { readonly [K in keyof O]: O[K] extends Option<infer T> ? T : never }

/** Completes the sentence that begins with the name of an option. */
export class Mistake extends Error {
  override readonly name = 'Mistake'
}

/** There or not. */
export function flag(about: string): Option<boolean> {
  return { about, read: (given) => given !== undefined }
}

/** Any text. */
export function text(about: string, more: Partial<Option<unknown>> = {}): Option<string | undefined> {
  return { about, value: 'text', ...more, read: lastOf }
}

/** Text that has to be there. */
export function requiredText(about: string, more: Partial<Option<unknown>> = {}): Option<string> {
  return { about, value: 'text', ...more, required: true, read: (given) => present(lastOf(given)) }
}

/** Any number of texts. */
export function texts(about: string, more: Partial<Option<unknown>> = {}): Option<readonly string[]> {
  return {
    about,
    value: 'text',
    repeats: true,
    ...more,
    read: (given) => (given === undefined || given === true ? [] : given),
  }
}

/** One of a few words. */
export function choice<const C extends string>(about: string, choices: readonly C[]): Option<C | undefined> {
  return {
    about,
    value: choices.join('|'),
    choices,
    read(given) {
      const found = lastOf(given)
      const known = choices.find((each) => each === found)
      if (found !== undefined && known === undefined) throw new Mistake(`must be ${either(choices)}, not '${found}'`)
      return known
    },
  }
}

/** A whole number, with a default. */
export function integer(about: string, of: { min: number; max: number; fallback: number }): Option<number> {
  return {
    about,
    value: 'n',
    fallback: String(of.fallback),
    read: (given) => integerIn(lastOf(given), of) ?? of.fallback,
  }
}

/** A whole number, or none. */
export function someInteger(about: string, of: { min: number; max: number }): Option<number | undefined> {
  return { about, value: 'n', read: (given) => integerIn(lastOf(given), of) }
}

function integerIn(found: string | undefined, { min, max }: { min: number; max: number }): number | undefined {
  if (found === undefined) return undefined
  const number = Number(found)
  if (/^-?\d+$/.test(found) && number >= min && number <= max) return number
  throw new Mistake(`must be a whole number from ${min} to ${max}, not '${found}'`)
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const durationMaxMs = 1_000 * 365 * 86_400_000

/** A span of time in milliseconds, written `500ms`, `10s`, `5m`, `2h` or `7d`. */
export function duration(about: string): Option<number | undefined> {
  return {
    about,
    value: 'duration',
    read(given) {
      const found = lastOf(given)
      return found === undefined ? undefined : durationOf(found)
    },
  }
}

function durationOf(found: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(found) ?? []
  const ms = Math.round(Number(digits) * (units[unit] ?? Number.NaN))
  if (ms <= durationMaxMs) return ms
  throw new Mistake(`must be a time span such as 500ms, 10s, 5m, 2h or 7d, not '${found}'`)
}

/** A point in time, milliseconds since the epoch, written in ISO 8601 or as a span before or after now: `-10m`, `+2h`. */
export function time(about: string, nowMs: () => number): Option<number | undefined> {
  return {
    about,
    value: 'time',
    read(given) {
      const found = lastOf(given)
      return found === undefined ? undefined : timeOf(found, nowMs())
    },
  }
}

/**
 * What a time says, milliseconds since the epoch.
 * @throws Mistake when it is none
 */
export function timeOf(found: string, nowMs: number): number {
  if (/^[+-]/.test(found)) {
    const ms = durationOf(found.slice(1))
    return found.startsWith('-') ? nowMs - ms : nowMs + ms
  }
  const atMs = /^\d{4}-\d\d/.test(found) ? Date.parse(found) : Number.NaN
  if (Number.isFinite(atMs)) return atMs
  throw new Mistake(`must be a time such as 2026-01-31T09:30:00Z, or a span from now such as -10m, not '${found}'`)
}

/** The last one counts, as everywhere. */
function lastOf(given: Given): string | undefined {
  return given === undefined || given === true ? undefined : given.at(-1)
}

function present(found: string | undefined): string {
  if (found === undefined || found === '') throw new Mistake('is missing')
  return found
}

/** `a, b or c` */
export function either(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
}
