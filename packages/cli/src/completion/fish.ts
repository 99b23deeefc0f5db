import type { Command } from '../command/command.ts'
import { argumentOf, firstWords, type OptionWord, optionWords, secondWords, type Word } from './words.ts'

/** A completion script for fish. */
export function fishScript(commands: readonly Command[]): string {
  const first = firstWords(commands)
  const lines = [
    '# posthaste completion for fish: posthaste completion fish | source',
    'complete -c posthaste -f',
    ...first.map((word) => offer('__fish_use_subcommand', word)),
    ...first.flatMap(({ word }) => secondOf(commands, word)),
    ...commands.flatMap(optionsOf),
  ]
  return `${lines.join('\n')}\n`
}

function secondOf(commands: readonly Command[], first: string): string[] {
  const second = secondWords(commands, first)
  const names = second.map(({ word }) => word).join(' ')
  const condition = `__fish_seen_subcommand_from ${first}; and not __fish_seen_subcommand_from ${names}`
  return second.map((word) => offer(condition, word))
}

function offer(condition: string, { word, about }: Word): string {
  return `complete -c posthaste -n ${quoted(condition)} -a ${word} -d ${quoted(about)}`
}

function optionsOf(command: Command): string[] {
  const condition = command.name
    .split(' ')
    .map((word) => `__fish_seen_subcommand_from ${word}`)
    .join('; and ')
  const { choices, completes } = argumentOf(command)
  const values = [
    ...(choices.length > 0 ? [` -a ${quoted(choices.join(' '))}`] : []),
    ...(completes === undefined ? [] : [' -F']),
  ]
  return [
    ...optionWords(command).map((option) => optionLine(condition, option)),
    ...values.map((value) => `complete -c posthaste -n ${quoted(condition)}${value}`),
  ]
}

function optionLine(condition: string, { word, short, about, takesValue, choices, completes }: OptionWord): string {
  const parts = [
    `complete -c posthaste -n ${quoted(condition)} -l ${word}`,
    ...(short === undefined ? [] : [`-s ${short}`]),
    ...(takesValue ? ['-r'] : []),
    ...(completes === undefined ? [] : ['-F']),
    ...(choices.length === 0 ? [] : [`-a ${quoted(choices.join(' '))}`]),
    `-d ${quoted(about)}`,
  ]
  return parts.join(' ')
}

const quoted = (text: string): string => `'${text.replaceAll(/['\\]/g, '\\$&')}'`
