import process from 'node:process'
import { type Clock, type Log, type LogFields, PosthasteError } from '@posthaste/contracts'
import { systemClock } from '../pipeline/clock.ts'
import { isoTime } from '../pipeline/ids.ts'
import { choiceOption, functionOption, type OptionsSpec, readOptions } from '../pipeline/options.ts'

/** From the most to the least talkative; `silent` says nothing. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What the log tells, and how. */
export interface ConsoleLogOptions {
  /** The least important level that is told. Default `info`. */
  readonly level?: LogLevel | undefined
  /** `json`: one object per line, for machines. `text`: for people. Default: `text` on a terminal, `json` elsewhere. */
  readonly format?: 'json' | 'text' | undefined
  /** Takes one line, its line feed included. Default: standard error. */
  readonly write?: ((line: string) => unknown) | undefined
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'silent']

interface Settings {
  readonly level: LogLevel
  readonly format: 'json' | 'text'
  readonly write: (line: string) => unknown
  readonly clock: Clock
}

const spec = (): OptionsSpec<Settings> => ({
  options: {
    level: choiceOption('info', levels),
    format: choiceOption(process.stderr.isTTY ? 'text' : 'json', ['json', 'text']),
    write: functionOption((line: string) => process.stderr.write(line)),
    clock: {
      fallback: systemClock,
      expects: 'a clock',
      accepts: (value) => typeof value === 'object' && value !== null && 'nowMs' in value,
    },
  },
})

/**
 * A log on standard error, one line per message. Never throws: fields that JSON cannot carry are shown as text.
 *
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function consoleLog(options: ConsoleLogOptions = {}): Log {
  const { level: least, format, write, clock } = readOptions('consoleLog', options, spec())
  const line = format === 'json' ? jsonLine : textLine
  const at = (level: keyof Log) => {
    if (levels.indexOf(level) < levels.indexOf(least)) return () => {}
    return (message: string, fields: LogFields = {}): void => {
      write(line({ time: isoTime(clock.nowMs()), level, message }, fields))
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

interface Head {
  readonly time: string
  readonly level: string
  readonly message: string
}

function jsonLine(head: Head, fields: LogFields): string {
  // The head goes last, so that a field of its name does not hide it, and first, so that it is read first.
  return `${stringify({ ...head, ...fields, ...head })}\n`
}

function textLine({ time, level, message }: Head, fields: LogFields): string {
  const told = Object.entries(fields).flatMap(([name, value]) =>
    value === undefined ? [] : [` ${name}=${shown(value)}`],
  )
  return `${time} ${level.toUpperCase().padEnd(5)} ${oneLine(message)}${told.join('')}\n`
}

function shown(value: unknown): string {
  if (value instanceof Error) return oneLine(value.stack ?? value.message)
  return typeof value === 'string' && /^[\w./:@-]+$/.test(value) ? value : stringify(value)
}

/** Whatever a message holds, it stays one line: a forged line would pass for a message of its own. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+\s*/g, ' | ')
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, writable) ?? String(value)
  } catch {
    return JSON.stringify(String(value))
  }
}

function writable(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  return value instanceof Error ? errorFields(value) : value
}

function errorFields(error: Error): Record<string, unknown> {
  const { name, message, stack, cause } = error
  if (!PosthasteError.is(error)) return { name, message, stack, cause }
  const { code, verdict, issues, details } = error
  return { name, code, verdict, message, issues: issues.length > 0 ? issues : undefined, details, stack, cause }
}
