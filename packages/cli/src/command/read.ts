import { parseArgs } from 'node:util'
import { type Issue, PosthasteError } from '@posthaste/contracts'
import type { Command } from './command.ts'
import { nearest } from './nearest.ts'
import { type Given, Mistake, type Options, type Values } from './options.ts'

/** What a command line says to a command. */
export interface Line {
  readonly args: Values<Options>
  readonly options: Values<Options>
}

type Env = Readonly<Record<string, string | undefined>>

/** Short names mean the same with every command that has the option. */
export const shortNames: Readonly<Record<string, string>> = {
  engine: 'e',
  json: 'j',
  yes: 'y',
  group: 'g',
  key: 'k',
  limit: 'n',
  help: 'h',
}

/**
 * Reads what stands behind the name of a command; what is not given, from the environment where an option says so.
 * @throws INVALID_ARGUMENT with an issue per mistake
 */
export function readLine(command: Command, words: readonly string[], env: Env): Line {
  const issues: Issue[] = []
  const { given, rest } = sorted(command, words, issues)
  for (const [name, { variable }] of Object.entries(command.options)) {
    const value = variable === undefined ? undefined : env[variable]
    if (value !== undefined && value !== '' && !given.has(name)) given.set(name, [value])
  }
  const args = read(command.args, placed(command, rest, issues), { issues, label: (name) => `<${name}>` })
  const options = read(command.options, given, { issues, label: (name) => `--${name}` })
  if (issues.length > 0) throw refused(command, issues)
  return { args, options }
}

function refused({ name }: Command, issues: readonly Issue[]): PosthasteError {
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new PosthasteError('INVALID_ARGUMENT', `${name}: ${told}`, {
    remedy: `See posthaste help ${name}.`,
    issues,
  })
}

/** Tells options from arguments. */
function sorted(command: Command, words: readonly string[], issues: Issue[]) {
  const known = Object.entries(command.options).map(([name, { value }]) => {
    const type = value === undefined ? ('boolean' as const) : ('string' as const)
    const short = shortNames[name]
    return [name, short === undefined ? { type } : { type, short }] as const
  })
  const { tokens } = parseArgs({
    args: [...words],
    options: Object.fromEntries(known),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const given = new Map<string, Exclude<Given, undefined>>()
  const rest: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') rest.push(token.value)
    if (token.kind !== 'option') continue
    const message = takeOption(command, token, given)
    if (message !== undefined) issues.push({ path: token.rawName, message })
  }
  return { given, rest }
}

interface OptionToken {
  readonly name: string
  readonly value: string | undefined
  readonly inlineValue: boolean | undefined
}

/** @returns what is wrong with it */
function takeOption(
  { options }: Command,
  { name, value, inlineValue }: OptionToken,
  given: Map<string, Exclude<Given, undefined>>,
): string | undefined {
  const option = Object.hasOwn(options, name) ? options[name] : undefined
  if (option === undefined) {
    const meant = nearest(name, Object.keys(options))
    return meant === undefined ? 'is not an option of it' : `is not an option of it; did you mean --${meant}?`
  }
  if (option.value === undefined) {
    if (value !== undefined) return 'takes no value'
    given.set(name, true)
    return undefined
  }
  if (value === undefined) return `needs a value: --${name} <${option.value}>`
  // `--group --json` has forgotten the group; `--at -10m` has not.
  if (inlineValue !== true && /^-[^\d]/.test(value)) return `needs a value; write --${name}=${value} if that is it`
  const before = given.get(name)
  if (before !== undefined && option.repeats !== true) return 'is given more than once'
  given.set(name, [...(before === undefined || before === true ? [] : before), value])
  return undefined
}

/** Gives each argument its words. */
function placed(command: Command, rest: readonly string[], issues: Issue[]): ReadonlyMap<string, readonly string[]> {
  const left = [...rest]
  const given = new Map<string, readonly string[]>()
  for (const [name, { repeats }] of Object.entries(command.args)) {
    const taken = left.splice(0, repeats === true ? left.length : 1)
    if (taken.length > 0) given.set(name, taken)
  }
  for (const word of left) issues.push({ path: `'${word}'`, message: 'is one argument too many' })
  return given
}

interface Reading {
  readonly issues: Issue[]
  readonly label: (name: string) => string
}

function read(options: Options, given: ReadonlyMap<string, Given>, { issues, label }: Reading): Values<Options> {
  const values: Record<string, unknown> = {}
  for (const [name, option] of Object.entries(options)) {
    try {
      values[name] = option.read(given.get(name))
    } catch (error) {
      if (!(error instanceof Mistake)) throw error
      issues.push({ path: label(name), message: error.message })
    }
  }
  return values
}
