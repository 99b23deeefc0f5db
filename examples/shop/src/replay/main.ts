import { existsSync } from 'node:fs'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { told } from '../books/books.ts'
import { orders, returns } from '../orders/order.ts'
import {
  chaosArguments,
  chaosOf,
  dataDir,
  isWatched,
  shown,
  UsageError,
  userPath,
  wholeNumber,
  withChaosRate,
} from '../settings.ts'
import { openShop } from '../shop.ts'
import { viewOf } from '../view/view.ts'
import { type FeedReport, feed } from './feed.ts'
import { progressOn } from './progress.ts'
import { reconcile } from './reconcile.ts'
import { replayInto } from './remote.ts'
import { settle } from './settle.ts'

/** `npm run shop:replay`: feeds a file of orders to the shop and reconciles. Exits with 0 only if the books balance. */
const usage = `usage: npm run shop:replay [-- <file.csv> --url <url> --engine <url> --data <directory> --concurrency <1-256> --unpaid-ms <ms> --stall-ms <ms> --chaos [<0-1>] --chaos-seed <number> --watch]
Without a file it takes the sample that comes with the shop. With --url it feeds a shop that is open there, such as that of
npm run shop:split; else it opens one, on the embedded engine unless --engine names another. Chaos
injects faults between the services, at this rate of each kind or 0.1; the books have to balance all the same.`

/** Orders are settled in seconds here, not in the half minute that people at a terminal have. */
const unpaidMsDefault = '2000'
const paymentRetry = { immediate: 0, delayed: 4, baseMs: 50, maxMs: 400 } as const
/** Nothing may move for so long, and for as long as an order may stay unpaid: also one that was placed with `npm start`. */
const stallMsDefault = '60000'

try {
  const balanced = await replay()
  process.exitCode = balanced ? 0 : 1
} catch (error) {
  process.stderr.write(shown(error, usage))
  process.exitCode = 1
}

async function replay(): Promise<boolean> {
  const startedAtMs = performance.now()
  const { path, url, data, engineUrl, unpaidMs, stallMs, concurrency, chaos, watched } = readArguments()
  if (url !== undefined) return replayThere(path, { url, concurrency, stallMs })
  const shop = await openShop({ dir: dataDir(data), engineUrl, unpaidMs, paymentRetry, chaos, logLevel: 'error' })
  const bar = progressOn()
  const progress = watched ? viewOf(shop.app, { out: process.stderr, progress: bar }) : bar
  try {
    const report = await feed(path, { url: shop.url, concurrency, progress })
    const books = await settle(shop, progress, unpaidMs + stallMs)
    progress.end()
    const totalOf = (no: string) => (shop.store.get(orders, no) ?? shop.store.get(returns, no))?.totalPence
    const { balanced, text } = reconcile(report, books.equations.map(told), totalOf)
    const seconds = ((performance.now() - startedAtMs) / 1_000).toFixed(1)
    process.stdout.write(`${summary(path, report)}\n\n${text}\n\n${verdict(balanced)} (${seconds} s)\n`)
    return balanced
  } finally {
    progress.end()
    await shop.close()
  }
}

/** Feeds a shop that is open elsewhere, by what its API says. */
async function replayThere(path: string, of: { url: string; concurrency: number; stallMs: number }): Promise<boolean> {
  const progress = progressOn()
  try {
    const { report, balanced, text } = await replayInto(path, { ...of, progress })
    progress.end()
    process.stdout.write(`${summary(path, report)}\n\n${text}\n\n${verdict(balanced)}\n`)
    return balanced
  } finally {
    progress.end()
  }
}

function readArguments() {
  const { values, positionals } = parseArgs({
    args: withChaosRate(process.argv.slice(2)),
    allowPositionals: true,
    options: {
      url: { type: 'string' },
      data: { type: 'string' },
      engine: { type: 'string' },
      concurrency: { type: 'string', default: '16' },
      'unpaid-ms': { type: 'string', default: unpaidMsDefault },
      'stall-ms': { type: 'string', default: stallMsDefault },
      ...chaosArguments,
    },
  })
  if (positionals.length > 1) throw new UsageError(`one file at a time, not ${positionals.length}`)
  const [asked] = positionals
  const sample = fileURLToPath(new URL('../../sample/orders.csv', import.meta.url))
  const path = asked === undefined ? sample : userPath(asked)
  if (!existsSync(path)) throw new UsageError(`there is no file ${path}`)
  return {
    path,
    url: values.url,
    data: values.data,
    engineUrl: values.engine,
    concurrency: Math.max(1, wholeNumber('--concurrency', values.concurrency, 256)),
    unpaidMs: wholeNumber('--unpaid-ms', values['unpaid-ms'], 3_600_000),
    chaos: chaosOf(values),
    watched: isWatched(values),
    stallMs: wholeNumber('--stall-ms', values['stall-ms'], 3_600_000),
  }
}

function summary(path: string, { lines, numbers, taken, repeated }: FeedReport): string {
  const known = repeated > 0 ? `, of which ${repeated} were known` : ''
  return `${path}: ${lines} lines, ${numbers.size} invoices; ${taken.size} taken${known}`
}

function verdict(balanced: boolean): string {
  return balanced ? 'The books balance.' : 'The books do NOT balance.'
}
