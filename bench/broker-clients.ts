import { loadavg } from 'node:os'
import { playClients } from './broker/clients.ts'
import type { BenchDocument } from './document.ts'
import { scratchRoot, withDirectory } from './embedded/scratch.ts'
import { machineOf } from './machine.ts'

const plan = { clients: 10_000, channels: 50, publishEveryMs: 10_000, calmMs: 10_000, patienceMs: 300_000 }

/** Ten thousand clients of one broker, which is killed as often as there are rounds. */
export async function bench(rounds: number): Promise<BenchDocument> {
  const [loadBefore = 0] = loadavg()
  const results = await withDirectory((dir) => playClients(dir, { ...plan, kills: rounds }))
  const method = {
    'kills -9': rounds,
    clients: `${plan.clients}, all in one process, half of them members of ${plan.channels} groups`,
    'each other client publishes every': `${plan.publishEveryMs} ms`,
    'load average before': Math.round(loadBefore * 100) / 100,
  }
  return { bench: 'broker-clients', machine: machineOf(scratchRoot), method, results }
}

/** The same with few, in this process's children: a profile of it shows the bench alone. */
export function profiled(): Promise<unknown> {
  return withDirectory((dir) => playClients(dir, { ...plan, clients: 100, calmMs: 500, kills: 1 }))
}
