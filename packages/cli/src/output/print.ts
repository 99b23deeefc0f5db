import { styleText } from 'node:util'
import type { Io } from '../io.ts'
import { type Column, oneLine, tableOf } from './table.ts'

/** How an answer is given. */
export interface Answer {
  /** For machines. */
  readonly json: unknown
  /** For people, made only if it is them who ask. */
  readonly text: () => string
}

/** Answers to people or to machines, whoever asks. */
export interface Print {
  readonly isJson: boolean
  /** The one answer of a command: one JSON document. */
  answer(answer: Answer): Promise<void>
  /** One of many answers that come one after the other: a line of JSON each. */
  item(answer: Answer): Promise<void>
  /** A table of the answer. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): string
  /** What is to be known beside the answer; for people and on standard error, so no machine reads it. */
  note(text: string): Promise<void>
  dim(text: string): string
  bold(text: string): string
}

/** Prints as told; colours only on a terminal, and not where NO_COLOR says so. */
export function printTo({ out, err, env }: Pick<Io, 'out' | 'err' | 'env'>, { isJson }: { isJson: boolean }): Print {
  const isColoured = out.isTerminal && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb'
  const styled = (style: 'dim' | 'bold', text: string): string =>
    isColoured ? styleText(style, text, { validateStream: false }) : text
  const columns = out.isTerminal ? out.columns : undefined
  return {
    isJson,
    answer: ({ json, text }) => out.write(isJson ? `${JSON.stringify(json, undefined, 2)}\n` : text()),
    item: ({ json, text }) => out.write(isJson ? `${JSON.stringify(json)}\n` : text()),
    table(head, rows) {
      const lines = tableOf(head, rows, columns)
      const end = lines.indexOf('\n')
      return `${styled('bold', lines.slice(0, end))}${lines.slice(end)}`
    },
    note: (text) => err.write(`${oneLine(text)}\n`),
    dim: (text) => styled('dim', text),
    bold: (text) => styled('bold', text),
  }
}
