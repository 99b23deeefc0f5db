import { PosthasteError } from '@posthaste/contracts'
import type { Command } from './command/command.ts'
import { nearest } from './command/nearest.ts'
import { readLine } from './command/read.ts'
import { overview, usage } from './command/usage.ts'
import { commands as allCommands } from './commands/commands.ts'
import { type Connect, connect as connectTo } from './engine/connect.ts'
import { type Scrub, scrubOf } from './engine/secrets.ts'
import { exitCodeOf, interrupted } from './exit-codes.ts'
import type { Io } from './io.ts'
import { printTo } from './output/print.ts'

/** What the program is made of; tests bring an engine of their own. */
export interface RunOptions {
  readonly connect?: Connect | undefined
}

/** Why everything ends where nobody reads the answer any more, as behind `| head`. */
export const readerGone = 'EPIPE'

/**
 * Runs one command line. Never rejects: what goes wrong is told on standard error.
 * @param words what stands behind the program's name
 * @returns the exit code
 */
export async function run(words: readonly string[], io: Io, { connect = connectTo }: RunOptions = {}): Promise<number> {
  const scrub = scrubOf(engineIn(words, io.env), [...tokensIn(words), io.env.POSTHASTE_TOKEN])
  const careful: Io = { ...io, err: { ...io.err, write: (text) => io.err.write(scrub(text)) } }
  try {
    const found = find(words)
    if (typeof found === 'string') {
      await io.out.write(found)
      return 0
    }
    const { command, rest } = found
    const { args, options } = readLine(command, rest, io.env)
    const print = printTo(careful, { isJson: options.json === true })
    const code = await command.run(args, options, { io: careful, print, connect, commands: allCommands })
    return code ?? codeOf(io.signal)
  } catch (error) {
    if (io.signal.aborted && !isFault(error)) return codeOf(io.signal)
    await careful.err.write(failureText(error, words.includes('--debug'), scrub))
    return exitCodeOf(error)
  }
}

/** What a command ends with that had nothing to complain of. */
function codeOf({ aborted, reason }: AbortSignal): number {
  return aborted && reason !== readerGone ? interrupted : 0
}

/** Which command is meant; text where help is. */
function find(words: readonly string[]): string | { readonly command: Command; readonly rest: readonly string[] } {
  const [first, second] = words
  if (first === undefined || first === '--help' || first === '-h') return overview(allCommands)
  if (first === '--version' || first === '-v') return find(['version'])
  if (first.startsWith('-')) {
    throw new PosthasteError('INVALID_ARGUMENT', `${first} stands before the command`, {
      remedy: 'Put the command first: posthaste <command> [options]. See posthaste help.',
    })
  }
  const name = commandIn(first, second)
  const command = allCommands.find((each) => each.name === name)
  if (command === undefined) {
    if (second === '--help' || second === '-h') return overview(under(first))
    throw unknownCommand(name)
  }
  const rest = words.slice(name.split(' ').length)
  const end = rest.indexOf('--')
  const isHelp = rest.slice(0, end < 0 ? rest.length : end).some((word) => word === '--help' || word === '-h')
  return isHelp ? usage(command) : { command, rest }
}

/** Some commands have two words: `dlq list`. */
function commandIn(first: string, second: string | undefined): string {
  const hasTwo = allCommands.some(({ name }) => name.startsWith(`${first} `))
  return hasTwo && second !== undefined && !second.startsWith('-') ? `${first} ${second}` : first
}

function under(first: string): readonly Command[] {
  const found = allCommands.filter(({ name }) => name.startsWith(`${first} `))
  if (found.length === 0) throw unknownCommand(first)
  return found
}

/** The error of a command that there is not. */
export function unknownCommand(name: string): PosthasteError {
  const names = allCommands.map((command) => command.name)
  const below = names.filter((each) => each.startsWith(`${name} `))
  const meant = below.length > 0 ? below.join(', ') : nearest(name, names)
  const remedy = meant === undefined ? 'See posthaste help.' : `Did you mean ${meant}? See posthaste help.`
  return new PosthasteError('INVALID_ARGUMENT', `there is no command '${name}'`, { remedy })
}

/** An interruption shows itself in many ways, which nobody wants to read; a fault is told anyway. */
function isFault(error: unknown): boolean {
  return !PosthasteError.is(error) || !['CANCELLED', 'ENGINE_CLOSED', 'UNAVAILABLE'].includes(error.code)
}

function failureText(error: unknown, isDebug: boolean, scrub: Scrub): string {
  const known = PosthasteError.from(error, 'INTERNAL', 'the command failed')
  const stack = isDebug ? `\n${stackOf(error)}` : ''
  return scrub(`${known.message}\n${known.remedy}${stack}\n`)
}

function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : `\ncaused by ${stackOf(error.cause)}`
  return `${error.stack ?? error.message}${cause}`
}

function engineIn(words: readonly string[], env: Io['env']): string | undefined {
  return valueIn(words, '--engine') ?? valueIn(words, '-e') ?? env.POSTHASTE_ENGINE
}

/** Also one that is given to `hash-token`, which does not take it there, and must not show it either. */
function tokensIn(words: readonly string[]): readonly (string | undefined)[] {
  const mistaken = words[0] === 'hash-token' ? words.slice(1).filter((word) => !word.startsWith('-')) : []
  return [valueIn(words, '--token'), ...mistaken]
}

/** Of an option that is looked at before the line is read, since reading may fail. */
function valueIn(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name)
  if (at >= 0) return words[at + 1]
  return words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1)
}
