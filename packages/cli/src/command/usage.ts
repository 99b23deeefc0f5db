import type { Command } from './command.ts'
import type { Option, Options } from './options.ts'
import { shortNames } from './read.ts'

const columnsMax = 100

/** What the program can do, for `posthaste help`. */
export function overview(commands: readonly Command[]): string {
  const rows = commands.map((command) => [command.name, command.about] as const)
  return `posthaste: a broker, and a look into any engine

usage: posthaste <command> [options]

commands:
${listed(rows)}

The engine is named by --engine or POSTHASTE_ENGINE: embedded:./data, link://host, amqp://host, kafka://host, nats://host,
redis://host. posthaste help <command> says more of each.
`
}

/** How one command is called, for `posthaste help <command>`. */
export function usage(command: Command): string {
  const { about, details, args, options, examples } = command
  const paragraphs = [
    `posthaste ${command.name}: ${about}`,
    `usage: ${synopsis(command)}`,
    ...details.map((paragraph) => wrapped(paragraph, columnsMax)),
    ...section(
      'arguments',
      Object.entries(args).map(([name, arg]) => [name, told(arg)] as const),
    ),
    ...section(
      'options',
      Object.entries(options).map(([name, option]) => [spelled(name, option), told(option)] as const),
    ),
    ...(examples.length === 0 ? [] : [`examples:\n${examples.map((line) => `  ${line}`).join('\n')}`]),
  ]
  return `${paragraphs.join('\n\n')}\n`
}

/** `posthaste seek <channel> <group> [options]` */
export function synopsis({ name, args, options }: Command): string {
  const words = Object.entries(args).map(([arg, { required, repeats }]) => {
    const word = `<${arg}>${repeats === true ? '…' : ''}`
    return required === true ? word : `[${word}]`
  })
  return ['posthaste', name, ...words, ...(hasAny(options) ? ['[options]'] : [])].join(' ')
}

/** `-g, --group <name>` */
export function spelled(name: string, { value }: Option<unknown>): string {
  const short = shortNames[name]
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` <${value}>`}`
}

/** What an option is for, and what holds where it is not given. */
export function told({ about, variable, fallback, repeats }: Option<unknown>): string {
  const more = [
    ...(repeats === true ? ['may be repeated'] : []),
    ...(variable === undefined ? [] : [`or ${variable} in the environment`]),
    ...(fallback === undefined ? [] : [`default ${fallback}`]),
  ]
  return more.length === 0 ? about : `${about} (${more.join('; ')})`
}

function hasAny(options: Options): boolean {
  return Object.keys(options).length > 0
}

function section(title: string, rows: readonly (readonly [string, string])[]): readonly string[] {
  return rows.length === 0 ? [] : [`${title}:\n${listed(rows)}`]
}

function listed(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length))
  return rows
    .map(([name, about]) => {
      const lines = wrapped(about, Math.max(40, columnsMax - width - 4)).split('\n')
      return lines.map((line, at) => `  ${(at === 0 ? name : '').padEnd(width)}  ${line}`).join('\n')
    })
    .join('\n')
}

function wrapped(paragraph: string, columns: number): string {
  const lines: string[] = []
  let line = ''
  for (const word of paragraph.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join('\n')
}
