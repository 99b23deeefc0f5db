import { parse } from 'csv-parse/sync'

/** The columns of a file of orders; any order will do. */
export const columns = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const

/** One record as text, without stray blanks. */
export type RawRecord = Readonly<Record<(typeof columns)[number], string>>

/** A line of a file: a record, or why it is none. */
export type RawLine =
  | { readonly line: number; readonly record: RawRecord }
  | { readonly line: number; readonly reason: string }

/** A file that is not what it should be as a whole. */
export class CsvError extends Error {
  override readonly name = 'CsvError'
}

const dialect = { delimiter: ';', trim: true, relax_column_count: true } as const

/** The lines of a text, without their ends. */
export type TextLines = AsyncIterable<string> | Iterable<string>

/**
 * Reads German-style CSV: semicolons, UTF-8 with or without a byte-order mark. A record is one line, so that a quote that
 * is never closed spoils its own line and no other. Empty lines are passed over.
 *
 * @throws CsvError when there is no header, or columns are missing in it
 */
export async function* readRecords(lines: TextLines): AsyncGenerator<RawLine> {
  let header: Header | undefined
  let line = 0
  for await (const text of lines) {
    line += 1
    if (header === undefined) header = headerOf(text.replace(/^\uFEFF/, ''))
    else if (text.trim() !== '') yield { line, ...recordOf(text, header) }
  }
  if (header === undefined) throw new CsvError(`the file is empty; it begins with a line ${columns.join(';')}`)
}

interface Header {
  readonly size: number
  readonly places: Readonly<Record<(typeof columns)[number], number>>
}

function headerOf(text: string): Header {
  const names = fieldsOf(text)
  const missing = columns.filter((column) => !names?.includes(column))
  if (names === undefined || missing.length > 0) {
    throw new CsvError(`this is no file of orders: line 1 lacks the columns ${missing.join(', ')}`)
  }
  const places = Object.fromEntries(columns.map((column) => [column, names.indexOf(column)]))
  return { size: names.length, places: places as Header['places'] }
}

function recordOf(text: string, { size, places }: Header): { record: RawRecord } | { reason: string } {
  // What cannot be decoded has become this character; a wrong text is worse than none.
  if (text.includes('\uFFFD')) return { reason: 'is not UTF-8' }
  const fields = fieldsOf(text)
  if (fields === undefined) return { reason: 'has a quote that does not fit' }
  if (fields.length !== size) return { reason: `has ${fields.length} columns instead of ${size}` }
  const entries = columns.map((column) => [column, fields[places[column]] ?? ''])
  return { record: Object.fromEntries(entries) as RawRecord }
}

function fieldsOf(text: string): readonly string[] | undefined {
  // The parser is slow to begin, and hardly any line needs it.
  if (!text.includes('"')) return text.split(dialect.delimiter).map((field) => field.trim())
  try {
    const [fields] = parse(text, dialect) as string[][]
    return fields?.map((field) => field.trim())
  } catch {
    return undefined
  }
}
