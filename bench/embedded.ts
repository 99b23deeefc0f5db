import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { BenchDocument, CaseResult } from './document.ts'
import { resultOf } from './document.ts'
import { backlogFactor, engineRate, publishLatencies, publishRate, through } from './embedded/ours.ts'
import { putGetRemoveRate, putLatencies, putRate, sequentialBytesPerSecond, syncLatencies } from './embedded/peers.ts'
import { scratchRoot } from './embedded/scratch.ts'
import { machineOf } from './machine.ts'
import { interleaved, median, percentile } from './measure.ts'

/** Publishes under way at a time, ours and the peers' alike. */
const outstanding = 4_096
const messages = { small: 200_000, large: 50_000, through: 200_000 }
const latencySamples = 400
const chunkBytes = 1024 * 1024

/** The case whose work is profiled. */
export const profiled = (): Promise<number> => through.unkeyed({ messages: 400_000, outstanding, bytes: 100 })

/** The embedded engine and the bus on it, against what they are built on: LMDB, and the disk. */
export async function bench(rounds: number): Promise<BenchDocument> {
  mkdirSync(scratchRoot, { recursive: true })
  const machine = machineOf(scratchRoot)
  const [loadBefore = 0] = loadavg()
  const disk = median((await interleaved(rounds, { disk: () => sequentialBytesPerSecond(chunkBytes) })).disk)
  const results = [
    ...(await publishing({ name: 'durable publish, 100 B', count: messages.small, bytes: 100, rounds, disk })),
    ...(await publishing({ name: 'durable publish, 1 KiB', count: messages.large, bytes: 1_024, rounds, disk })),
    ...(await passing(rounds)),
    ...(await waiting(rounds)),
  ]
  const method = {
    rounds,
    figure: 'median of rounds, contestants in turn',
    outstanding,
    ...Object.fromEntries(Object.entries(messages).map(([name, count]) => [`messages (${name})`, count])),
    'latency samples per round': latencySamples,
    'published and not handled at most': backlogFactor * outstanding,
    'load average before': Math.round(loadBefore * 100) / 100,
    'written for the disk limit': 'chunks of 1 MiB, fdatasync after each',
  }
  return { bench: 'embedded', machine, method, results }
}

const putName = 'lmdb put'
const seconds = 'msg/s'

/** A promise per message, resolved when it is on disk. */
async function publishing(of: {
  readonly name: string
  readonly count: number
  readonly bytes: number
  readonly rounds: number
  readonly disk: number
}): Promise<CaseResult[]> {
  const amount = { messages: of.count, outstanding, bytes: of.bytes }
  const figures = await interleaved(of.rounds, {
    ours: () => publishRate(amount),
    put: () => putRate(amount),
    engine: () => engineRate(amount),
  })
  const peers = { [putName]: median(figures.put) }
  const limit = { name: 'disk, bodies alone', value: of.disk / of.bytes }
  const goal = { min: 0.5, of: putName }
  const engine = resultOf({
    case: `${of.name}, engine alone`,
    unit: seconds,
    ours: median(figures.engine),
    peers,
    limit,
  })
  return [resultOf({ case: of.name, unit: seconds, ours: median(figures.ours), peers, limit, goal }), engine]
}

/** From publishing to acknowledged. */
async function passing(rounds: number): Promise<CaseResult[]> {
  const amount = { messages: messages.through, outstanding, bytes: 100 }
  const figures = await interleaved(rounds, {
    unkeyed: () => through.unkeyed(amount),
    bare: () => putGetRemoveRate(amount),
    keyed: () => through.keyed(amount),
  })
  const unkeyed = median(figures.unkeyed)
  const peers = { 'lmdb put, get, remove': median(figures.bare) }
  const goal = { min: 100_000 }
  return [
    resultOf({ case: 'publish, handle, ack, 100 B', unit: seconds, ours: unkeyed, peers, goal }),
    resultOf({
      case: 'publish, handle, ack, 100 B, 1,000 keys',
      unit: seconds,
      ours: median(figures.keyed),
      peers: { ...peers, 'ours without keys': unkeyed },
    }),
  ]
}

/** One publish at a time. */
async function waiting(rounds: number): Promise<CaseResult[]> {
  const samples: Record<'ours' | 'put' | 'sync', number[]> = { ours: [], put: [], sync: [] }
  const collect = (name: keyof typeof samples, measure: (count: number, bytes: number) => Promise<number[]>) => {
    return async (round: number): Promise<number> => {
      const latencies = await measure(latencySamples, 100)
      if (round > 0) samples[name].push(...latencies)
      return 0
    }
  }
  await interleaved(rounds, {
    ours: collect('ours', publishLatencies),
    put: collect('put', putLatencies),
    sync: collect('sync', syncLatencies),
  })
  return [50, 99].map((percent) =>
    resultOf({
      case: `latency of a single publish, 100 B, p${percent}`,
      unit: 'µs',
      ours: percentile(samples.ours, percent),
      peers: { [putName]: percentile(samples.put, percent) },
      limit: { name: 'write and fdatasync', value: percentile(samples.sync, percent) },
    }),
  )
}
