import type { Line } from '../money.ts'
import { readRecords, type TextLines } from './csv.ts'
import { type InvoiceLine, invoiceLine } from './lines.ts'

/** What belongs to one invoice: an order, or a return. */
export interface Invoice {
  readonly invoiceNo: string
  readonly kind: 'order' | 'return'
  readonly userId: number | undefined
  readonly lines: readonly Line[]
  /** Where it begins in the file. */
  readonly firstLine: number
}

/** A line that is left out, and why. */
export interface BadLine {
  readonly line: number
  readonly reason: string
}

/** What a file consists of. A `line` is told of before what comes of it, with the invoice's number where it can be read. */
export type Part =
  | { readonly invoice: Invoice }
  | { readonly bad: BadLine }
  | { readonly line: number; readonly number: string | undefined }

/** The most lines one request may have. */
const linesMax = 2_000

/**
 * Puts the lines of a file together to invoices. An invoice is a run of lines with one number; the file is not held in
 * memory. Every line is told of as it is read.
 */
export async function* readInvoices(text: TextLines): AsyncGenerator<Part> {
  const closed = new Set<string>()
  let current: Open | undefined
  for await (const raw of readRecords(text)) {
    yield { line: raw.line, number: 'record' in raw ? raw.record.InvoiceNo : undefined }
    const found = 'reason' in raw ? { reasons: [raw.reason] } : invoiceLine(raw.record)
    if ('reasons' in found) {
      yield bad(raw.line, found.reasons.join('; '))
      continue
    }
    if (current !== undefined && current.invoiceNo !== found.invoiceNo) {
      yield { invoice: closing(current) }
      closed.add(current.invoiceNo)
      current = undefined
    }
    if (closed.has(found.invoiceNo)) {
      yield bad(raw.line, `invoice ${found.invoiceNo} ended before another one began`)
      continue
    }
    current ??= { ...found, lines: [], firstLine: raw.line }
    const reason = mismatch(current, found)
    if (reason !== undefined) yield bad(raw.line, reason)
    else current.lines.push(lineOf(found))
  }
  if (current !== undefined) yield { invoice: closing(current) }
}

interface Open extends Pick<Invoice, 'invoiceNo' | 'userId' | 'firstLine'> {
  readonly lines: Line[]
}

function mismatch(open: Open, line: InvoiceLine): string | undefined {
  if (open.userId !== line.userId) {
    return `customer ${line.userId ?? 'missing'}, but the invoice is for ${open.userId ?? 'a guest'}`
  }
  return open.lines.length < linesMax ? undefined : `is beyond the ${linesMax} lines an invoice may have`
}

function closing({ invoiceNo, userId, lines, firstLine }: Open): Invoice {
  return { invoiceNo, kind: invoiceNo.startsWith('C') ? 'return' : 'order', userId, lines, firstLine }
}

function lineOf({ productId, quantity, unitPricePence }: InvoiceLine): Line {
  return { productId, quantity, unitPricePence }
}

function bad(line: number, reason: string): Part {
  return { bad: { line, reason } }
}
