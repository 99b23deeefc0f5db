import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { BenchDocument, CaseResult } from './document.ts'
import { resultOf } from './document.ts'
import { backlogFactor, engineRate, publishLatencies, publishRate, through } from './embedded/ours.ts'
import { putGetRemoveRate, putLatencies, putRate, sequentialBytesPerSecond, syncLatencies } from './embedded/peers.ts'
import { scratchRoot } from './embedded/scratch.ts'
import { machineOf } from './machine.ts'
import { type Cost, costOf, interleaved, median, percentile } from './measure.ts'

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
const bareName = 'lmdb put, get, remove'
const perSecond = 'msg/s'
const perMessage = 'µs/msg'

/** A promise per message, resolved when it is on disk. */
async function publishing(of: {
  readonly name: string
  readonly count: number
  readonly bytes: number
  readonly rounds: number
  readonly disk: number
}): Promise<CaseResult[]> {
  const amount = { messages: of.count, outstanding, bytes: of.bytes }
  const costs = await interleaved(of.rounds, {
    ours: () => costOf(of.count, () => publishRate(amount)),
    put: () => costOf(of.count, () => putRate(amount)),
    engine: () => costOf(of.count, () => engineRate(amount)),
  })
  const peers = { [putName]: rateIn(costs.put) }
  const limit = { name: 'disk, bodies alone', value: of.disk / of.bytes }
  const goal = { min: 0.5, of: putName }
  const cpuPeers = { [putName]: cpuIn(costs.put), 'engine alone': cpuIn(costs.engine) }
  return [
    resultOf({ case: of.name, unit: perSecond, ours: rateIn(costs.ours), peers, limit, goal }),
    resultOf({ case: `${of.name}, engine alone`, unit: perSecond, ours: rateIn(costs.engine), peers, limit, goal }),
    resultOf({ case: `${of.name}, main thread`, unit: perMessage, ours: cpuIn(costs.ours), peers: cpuPeers }),
  ]
}

/** From publishing to acknowledged. */
async function passing(rounds: number): Promise<CaseResult[]> {
  const amount = { messages: messages.through, outstanding, bytes: 100 }
  const costs = await interleaved(rounds, {
    unkeyed: () => costOf(amount.messages, () => through.unkeyed(amount)),
    bare: () => costOf(amount.messages, () => putGetRemoveRate(amount)),
    keyed: () => costOf(amount.messages, () => through.keyed(amount)),
  })
  const name = 'publish, handle, ack, 100 B'
  const keyed = `${name}, 1,000 keys`
  const unkeyed = rateIn(costs.unkeyed)
  const peers = { [bareName]: rateIn(costs.bare) }
  const cpuPeers = { [bareName]: cpuIn(costs.bare), 'ours with keys': cpuIn(costs.keyed) }
  const keyedPeers = { ...peers, 'ours without keys': unkeyed }
  return [
    resultOf({ case: name, unit: perSecond, ours: unkeyed, peers, goal: { min: 100_000 } }),
    resultOf({ case: keyed, unit: perSecond, ours: rateIn(costs.keyed), peers: keyedPeers }),
    resultOf({ case: `${name}, main thread`, unit: perMessage, ours: cpuIn(costs.unkeyed), peers: cpuPeers }),
  ]
}

const rateIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.perSecond))
const cpuIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.cpuUs))

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
