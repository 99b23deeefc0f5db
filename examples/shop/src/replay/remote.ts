import type { ToldEquation } from '../books/books.ts'
import type { Pence } from '../money.ts'
import { type FeedReport, feed } from './feed.ts'
import type { Progress } from './progress.ts'
import { type Reconciliation, reconcile } from './reconcile.ts'

/** A shop that is open elsewhere, and how it is fed. */
export interface RemoteReplay {
  /** Where its API is. */
  readonly url: string
  readonly concurrency: number
  readonly progress: Progress
  /** How long nothing may move before the books are taken as they are. */
  readonly stallMs: number
}

/** What it came to. */
export interface RemoteReport extends Reconciliation {
  readonly report: FeedReport
}

interface ToldBooks {
  readonly balanced: boolean
  readonly equations: readonly ToldEquation[]
}

/** A process of the shop may take seconds to come back, several times over. */
const attemptsMax = 40
const pollMs = 200

/** Feeds a file to a shop of which nothing is known but its API, waits until it is quiet, and reconciles. */
export async function replayInto(
  path: string,
  { url, concurrency, progress, stallMs }: RemoteReplay,
): Promise<RemoteReport> {
  const report = await feed(path, { url, concurrency, progress, attemptsMax })
  const books = await quietBooks(url, progress, stallMs)
  const totals = new Map<string, Pence | undefined>()
  for (const invoiceNo of report.taken.keys()) totals.set(invoiceNo, await totalIn(url, invoiceNo))
  return { report, ...reconcile(report, books.equations, (invoiceNo) => totals.get(invoiceNo)) }
}

async function quietBooks(url: string, progress: Progress, stallMs: number): Promise<ToldBooks> {
  let movedAtMs = performance.now()
  let seen = ''
  for (;;) {
    const books = await read<ToldBooks>(`${url}/api/books`)
    if (books?.balanced === true) return books
    const off = books?.equations.filter(({ holds }) => !holds).length ?? 0
    progress.show(1, books === undefined ? 'waiting for the books' : `settling: ${off} equations do not hold yet`)
    const now = JSON.stringify(books)
    if (now !== seen) movedAtMs = performance.now()
    else if (performance.now() - movedAtMs > stallMs) return books ?? { balanced: false, equations: [] }
    seen = now
    await pause()
  }
}

async function totalIn(url: string, invoiceNo: string): Promise<Pence | undefined> {
  const path = `/api/${invoiceNo.startsWith('C') ? 'returns' : 'orders'}/${invoiceNo}`
  for (let attempt = 1; attempt <= attemptsMax; attempt += 1) {
    const found = await read<{ readonly totalPence?: Pence }>(url + path)
    if (found !== undefined) return found.totalPence
    await pause()
  }
  return undefined
}

/** @returns undefined where nobody can answer now */
async function read<Body>(url: string): Promise<Body | undefined> {
  try {
    const response = await fetch(url)
    return response.status < 500 ? ((await response.json()) as Body) : undefined
  } catch {
    return undefined
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, pollMs))
}
