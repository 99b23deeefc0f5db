import type { Account, Figure } from './account.ts'
import { terminalChart } from './charts/terminal.ts'

/** What a story measured, for people. */
export function reportOf({ scene, variants, figures, charts, claims }: Account): string {
  return [
    wrapped(scene),
    table(variants, figures),
    ...charts.map((chart) => terminalChart(chart)),
    claims.map(({ what, holds }) => `${holds ? '✓' : '✗'}  ${what}`).join('\n'),
  ].join('\n\n')
}

function table(variants: readonly string[], figures: readonly Figure[]): string {
  const rows = figures.map(({ what, unit, values }) => [what, ...values.map((value) => cell(value, unit))])
  const all = [['', ...variants], ...rows]
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    row.map((text, column) => (column === 0 ? text.padEnd(widths[0]!) : text.padStart(widths[column]!))).join('   ')
  return all.map(line).join('\n')
}

function cell(value: number | undefined, unit: string): string {
  if (value === undefined) return '–'
  const digits = unit !== '' && value < 10 ? 1 : 0
  const text = value.toLocaleString('en-GB', { maximumFractionDigits: digits })
  return unit === '' ? text : `${text} ${unit}`
}

const widthMax = 100

function wrapped(text: string): string {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line.length + word.length + 1 > widthMax) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].join('\n')
}
