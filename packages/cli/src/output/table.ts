import { stripVTControlCharacters } from 'node:util'

/** A column: its heading, and whether its values are figures, which stand right. */
export interface Column {
  readonly title: string
  readonly isFigure?: boolean | undefined
}

/** Lines for people. The last column is cut where the terminal ends. */
export function tableOf(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  lineMax: number = Number.POSITIVE_INFINITY,
): string {
  const all = [columns.map(({ title }) => title), ...rows.map((row) => row.map(oneLine))]
  const widths = columns.map((_, at) => Math.max(...all.map((row) => (row[at] ?? '').length)))
  const lines = all.map((row) => {
    const cells = columns.map(({ isFigure }, at) => {
      const cell = row[at] ?? ''
      if (isFigure === true) return cell.padStart(widths[at]!)
      return at === columns.length - 1 ? cell : cell.padEnd(widths[at]!)
    })
    return cut(cells.join('  ').trimEnd(), lineMax)
  })
  return lines.map((line) => `${line}\n`).join('')
}

/** What a message says must not rule the terminal: no line feeds, no colours, no bells. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\p{Cc}+/gu, ' ')
}

/** Cut where there is no more room, which is marked. */
export function cut(line: string, lengthMax: number): string {
  return line.length <= lengthMax ? line : `${line.slice(0, Math.max(0, lengthMax - 1))}…`
}
