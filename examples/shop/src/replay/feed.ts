import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { type Pence, totalOf } from '../money.ts'
import { postInvoice } from './client.ts'
import { type Invoice, readInvoices } from './invoices.ts'
import type { Progress } from './progress.ts'

/** What became of the lines and invoices of a file. */
export interface FeedReport {
  lines: number
  linesOrdered: number
  linesReturned: number
  linesBad: number
  linesRefused: number
  /** Every invoice number in the file, with usable lines or without. */
  readonly numbers: Set<string>
  /** Invoices the shop took, now or before, and what they are worth by the file. */
  readonly taken: Map<string, Pence>
  /** Of these, the ones it knew before. */
  repeated: number
  refused: number
}

/** How a file is fed. */
export interface FeedOptions {
  /** Where the shop's API is. */
  readonly url: string
  /** Most requests at a time. */
  readonly concurrency: number
  readonly progress: Progress
  /** How often an invoice is posted where nobody answers. Default: 5. */
  readonly attemptsMax?: number | undefined
}

/** Posts every invoice of a file to the shop. Lines and invoices it cannot use are reported, and the rest goes on. */
export async function feed(path: string, options: FeedOptions): Promise<FeedReport> {
  const { progress, concurrency } = options
  const report: FeedReport = {
    lines: 0,
    linesOrdered: 0,
    linesReturned: 0,
    linesBad: 0,
    linesRefused: 0,
    numbers: new Set(),
    taken: new Map(),
    repeated: 0,
    refused: 0,
  }
  // The first is the header.
  const linesInFile = Math.max(1, (await lineCount(path)) - 1)
  const running = new Set<Promise<void>>()
  let failure: { readonly thrown: unknown } | undefined

  for await (const part of readInvoices(textLines(path))) {
    if (failure !== undefined) break
    if ('bad' in part) {
      report.linesBad += 1
      progress.print(`line ${part.bad.line}: ${part.bad.reason}`)
    } else if ('line' in part) {
      report.lines += 1
      if (part.number !== undefined) report.numbers.add(part.number)
      progress.show(report.lines / linesInFile, `posting ${report.taken.size.toLocaleString('en-GB')} invoices`)
    } else {
      const posting = post(part.invoice, report, options).catch((thrown) => {
        failure ??= { thrown }
      })
      running.add(posting)
      void posting.then(() => running.delete(posting))
      if (running.size >= concurrency) await Promise.race(running)
    }
  }
  await Promise.all(running)
  if (failure !== undefined) throw failure.thrown
  return report
}

async function post(invoice: Invoice, report: FeedReport, { url, progress, attemptsMax }: FeedOptions): Promise<void> {
  const answer = await postInvoice(url, invoice, attemptsMax)
  if (answer.kind === 'refused') {
    report.refused += 1
    report.linesRefused += invoice.lines.length
    progress.print(`line ${invoice.firstLine}: invoice ${invoice.invoiceNo} is refused: ${answer.reason}`)
    return
  }
  if (answer.repeated) report.repeated += 1
  if (invoice.kind === 'order') report.linesOrdered += invoice.lines.length
  else report.linesReturned += invoice.lines.length
  report.taken.set(invoice.invoiceNo, totalOf(invoice.lines))
}

async function* textLines(path: string): AsyncGenerator<string> {
  const file = await open(path)
  try {
    yield* file.readLines({ encoding: 'utf8' })
  } finally {
    await file.close()
  }
}

async function lineCount(path: string): Promise<number> {
  let count = 0
  for await (const chunk of createReadStream(path)) {
    const bytes = chunk as Buffer
    for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1
  }
  return count
}
