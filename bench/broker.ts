import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { casesOf } from './broker/cases.ts'
import { play } from './broker/round.ts'
import { startService } from './broker/service.ts'
import type { BenchDocument } from './document.ts'
import { brokerFiguresApart } from './embedded/brokers-apart.ts'
import { scratchRoot, withDirectory } from './embedded/scratch.ts'
import { machineOf } from './machine.ts'

const outstanding = 4_096
const bytes = { small: 100, large: 1_024 }
const messages = { small: 300_000, large: 100_000, through: 200_000 }
const brokerMs = 2_000

/** Our broker in one process and its client in another, beside brokers that are installed and their raw clients. */
export async function bench(rounds: number): Promise<BenchDocument> {
  mkdirSync(scratchRoot, { recursive: true })
  const machine = machineOf(scratchRoot)
  const [loadBefore = 0] = loadavg()
  const others = await brokerFiguresApart({ rounds, durationMs: brokerMs, outstanding, bytes })
  const peers = new Map([...others.rates].map(([{ name }, rates]) => [name, rates] as const))
  const results = await withService((url) => casesOf({ url, rounds, outstanding, messages, bytes, peers }))
  const method = {
    rounds,
    figure: 'median of rounds, each in a process of its own; brokers each alone, before',
    outstanding,
    ...Object.fromEntries(Object.entries(messages).map(([name, count]) => [`messages (${name})`, count])),
    'milliseconds per round (brokers)': brokerMs,
    'load average before': Math.round(loadBefore * 100) / 100,
    ...others.notes,
  }
  return { bench: 'broker', machine, method, results }
}

/** The client, from publishing to acknowledging. */
export function profiled(): Promise<unknown> {
  return withService((url) =>
    play({ url, work: 'through', messages: messages.through, outstanding, bytes: bytes.small }),
  )
}

function withService<T>(run: (url: string) => Promise<T>): Promise<T> {
  return withDirectory(async (dir) => {
    const service = await startService(dir)
    try {
      return await run(service.url)
    } finally {
      await service.stop()
    }
  })
}
