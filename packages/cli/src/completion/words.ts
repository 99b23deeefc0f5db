import type { Command } from '../command/command.ts'
import { shortNames } from '../command/read.ts'

/** A word that a shell offers, and what it says about it. */
export interface Word {
  readonly word: string
  readonly about: string
}

/** First words of commands: `dlq` once. */
export function firstWords(commands: readonly Command[]): readonly Word[] {
  const words = new Map<string, string>()
  for (const { name, about } of commands) {
    const [first = '', second] = name.split(' ')
    if (second === undefined) words.set(first, about)
    else if (!words.has(first)) words.set(first, commandsUnder(commands, first))
  }
  return Array.from(words, ([word, about]) => ({ word, about }))
}

function commandsUnder(commands: readonly Command[], first: string): string {
  return secondWords(commands, first)
    .map(({ word }) => word)
    .join(', ')
}

/** Second words of the commands that begin with this one. */
export function secondWords(commands: readonly Command[], first: string): readonly Word[] {
  return commands.flatMap(({ name, about }) => {
    const [of, second] = name.split(' ')
    return of === first && second !== undefined ? [{ word: second, about }] : []
  })
}

/** An option as shells need it. */
export interface OptionWord extends Word {
  readonly short: string | undefined
  readonly takesValue: boolean
  readonly choices: readonly string[]
  readonly completes: 'file' | 'directory' | undefined
}

/** Every option of a command, help included. */
export function optionWords({ options }: Command): readonly OptionWord[] {
  const own = Object.entries(options).map(([word, { about, value, choices = [], completes }]) => {
    return { word, about, short: shortNames[word], takesValue: value !== undefined, choices, completes }
  })
  const help = { word: 'help', about: 'Tells all about the command', short: 'h', takesValue: false, choices: [] }
  return [...own, { ...help, completes: undefined }]
}

/** What the first argument of a command is completed with. */
export function argumentOf({ args }: Command): {
  choices: readonly string[]
  completes: 'file' | 'directory' | undefined
} {
  const [first] = Object.values(args)
  return { choices: first?.choices ?? [], completes: first?.completes }
}
