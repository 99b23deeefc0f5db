import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { BenchDocument } from './document.ts'
import { backlogFactor } from './embedded/backlog.ts'
import { brokerFiguresApart } from './embedded/brokers-apart.ts'
import { waiting, waitingAtRate } from './embedded/latency.ts'
import { through } from './embedded/ours.ts'
import { sequentialBytesPerSecond } from './embedded/peers.ts'
import { scratchRoot } from './embedded/scratch.ts'
import { fanningOut, passing, publishing } from './embedded/throughput.ts'
import { machineOf } from './machine.ts'
import { interleaved, median } from './measure.ts'

/** Publishes under way at a time, ours and the peers' alike. */
const outstanding = 4_096
const messages = { small: 200_000, large: 50_000, through: 200_000 }
const bytes = { small: 100, large: 1_024 }
const fanOut = { groups: 50, messages: 10_000, outstanding: 512 }
const latencySamples = 400
const rates = [
  { perSecond: 1_000, count: 3_000 },
  { perSecond: 10_000, count: 30_000 },
]
const brokerMs = 2_000
const chunkBytes = 1024 * 1024

/** The case whose work is profiled. */
export const profiled = (): Promise<number> => through.unkeyed({ messages: 400_000, outstanding, bytes: bytes.small })

/**
 * The embedded engine and the bus on it, against what they are built on (LMDB, and the disk), and against brokers that are
 * installed.
 */
export async function bench(rounds: number): Promise<BenchDocument> {
  mkdirSync(scratchRoot, { recursive: true })
  const machine = machineOf(scratchRoot)
  const [loadBefore = 0] = loadavg()
  const disk = median((await interleaved(rounds, { disk: () => sequentialBytesPerSecond(chunkBytes) })).disk)
  const brokers = await brokerFiguresApart({ rounds, durationMs: brokerMs, outstanding, bytes })
  const work = { rounds, outstanding, brokers: brokers.rates }
  const results = [
    ...(await publishing({ ...work, name: '100 B', size: 'small', count: messages.small, bytes: bytes.small, disk })),
    ...(await publishing({ ...work, name: '1 KiB', size: 'large', count: messages.large, bytes: bytes.large, disk })),
    ...(await passing({ ...work, count: messages.through, bytes: bytes.small })),
    ...(await fanningOut({ ...fanOut, rounds, bytes: bytes.small })),
    ...(await waiting({ rounds, samples: latencySamples, bytes: bytes.small })),
    ...(await waitingAtRate({ rounds, rates, samples: latencySamples, bytes: bytes.small })),
  ]
  const method = {
    rounds,
    figure: 'median of rounds, contestants in turn; brokers each alone, before, in another process',
    outstanding,
    ...Object.fromEntries(Object.entries(messages).map(([name, count]) => [`messages (${name})`, count])),
    'messages (fan-out)': fanOut.messages,
    'milliseconds per round (brokers)': brokerMs,
    'latency samples per round': latencySamples,
    'published and not handled at most': backlogFactor * outstanding,
    'load average before': Math.round(loadBefore * 100) / 100,
    'written for the disk limit': 'chunks of 1 MiB, fdatasync after each',
    ...brokers.notes,
  }
  return { bench: 'embedded', machine, method, results }
}
