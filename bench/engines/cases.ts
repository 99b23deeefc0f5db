import { join } from 'node:path'
import process from 'node:process'
import { outputOf } from '../child.ts'
import { type CaseResult, resultOf } from '../document.ts'
import { type Contestant, type Cost, interleaved, median } from '../measure.ts'
import type { ServerName } from './contestant.ts'
import { type Round, type Side, sides } from './round.ts'

/** What is measured on each server. */
export interface Work {
  readonly rounds: number
  readonly window: number
  readonly warmUpMs: number
  readonly durationMs: number
}

const goal = { min: 0.9, of: 'raw' }
const roundMsMax = 120_000
const program = join(import.meta.dirname, 'program.ts')
const works = { publish: 'publish, confirmed', through: 'publish, handle, ack' } as const
const sizes = { '100 B': 100, '1 KiB': 1_024 } as const

/** All cases on one server: rates with the goal, and what a message costs the main thread. */
export async function casesOn(server: ServerName, url: string, { rounds, ...load }: Work): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  for (const work of ['publish', 'through'] as const) {
    for (const [size, bytes] of Object.entries(sizes)) {
      const costs = await interleaved(rounds, contestants({ server, url, work, bytes, ...load }))
      const figures = figuresOf(`${server}: ${works[work]}, ${size}`, costs)
      results.push(...figures)
      // All of it takes minutes; what is measured is told at once, beside the document.
      for (const { case: name, ours, peers, unit } of figures)
        process.stderr.write(`${name}: ${ours} ${unit}, ${JSON.stringify(peers)}\n`)
    }
  }
  return results
}

/** Each plays each of its rounds in a process of its own. */
function contestants(round: Omit<Round, 'side'>): Record<Side, Contestant<Cost>> {
  const entries = sides.map((side) => [
    side,
    async () => JSON.parse(await outputOf(program, [JSON.stringify({ ...round, side })], roundMsMax)) as Cost,
  ])
  return Object.fromEntries(entries)
}

function figuresOf(name: string, { bus, ...peers }: Record<Side, Cost[]>): CaseResult[] {
  const medians = (pick: (cost: Cost) => number) =>
    Object.fromEntries(Object.entries(peers).map(([peer, costs]) => [peer, median(costs.map(pick))]))
  const rate = ({ perSecond }: Cost): number => perSecond
  const cpu = ({ cpuUs }: Cost): number => cpuUs
  return [
    resultOf({ case: name, unit: 'msg/s', ours: median(bus.map(rate)), peers: medians(rate), goal }),
    resultOf({ case: `${name}, main thread`, unit: 'µs/msg', ours: median(bus.map(cpu)), peers: medians(cpu) }),
  ]
}
