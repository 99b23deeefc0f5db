import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import { runningServer } from '@posthaste/conformance'
import type { BenchDocument, CaseResult } from './document.ts'
import { scratchRoot } from './embedded/scratch.ts'
import { casesOn } from './engines/cases.ts'
import { type ServerName, serverNames } from './engines/contestant.ts'
import { play } from './engines/round.ts'
import { machineOf } from './machine.ts'

const load = { window: 1_024, warmUpMs: 1_000, durationMs: 2_000 }
const profiledMs = 8_000

/** Our bus on the engine of each server that is up, against the client that the engine is built on, on the same server. */
export async function bench(rounds: number, only?: ServerName): Promise<BenchDocument> {
  mkdirSync(scratchRoot, { recursive: true })
  const machine = machineOf(scratchRoot)
  const [loadBefore = 0] = loadavg()
  const notes: Record<string, string> = {}
  const results: CaseResult[] = []
  for (const server of serverNames.filter((name) => only === undefined || name === only)) {
    const running = runningServer(server)
    notes[server] = running === undefined ? notUp(server) : (running.version ?? 'of an unknown version')
    if (running !== undefined) results.push(...(await casesOn(server, running.url, { rounds, ...load })))
  }
  const method = {
    rounds,
    figure: 'median of rounds, each in a process of its own, contestants in turn',
    'unconfirmed at most, and unacknowledged': load.window,
    'milliseconds of warming up, and of measuring': `${load.warmUpMs}, ${load.durationMs}`,
    'load average before': Math.round(loadBefore * 100) / 100,
    ...notes,
  }
  return { bench: 'engines', machine, method, results }
}

/** Our bus on the engine of one server: from publishing to acknowledging. */
export async function profiled(server: ServerName = 'redis'): Promise<unknown> {
  const running = runningServer(server)
  if (running === undefined) throw new Error(notUp(server))
  const task = { ...load, durationMs: profiledMs, work: 'through', bytes: 100 } as const
  return play({ server, url: running.url, side: 'bus', ...task })
}

const notUp = (server: ServerName): string => `not up; start it with: npm run engines -- up ${server}`
