import { join } from 'node:path'
import { outputOf } from '../child.ts'
import { type CaseResult, type Goal, resultOf } from '../document.ts'
import type { BrokerRates } from '../embedded/brokers.ts'
import { type Cost, interleaved, median } from '../measure.ts'
import type { Round, Work } from './round.ts'

const program = join(import.meta.dirname, 'round-program.ts')
const roundMsMax = 120_000
const goals = { publish: { min: 250_000 }, through: { min: 100_000 } } satisfies Record<string, Goal>

/** How much is measured, on the broker at an address, and what others do of the same. */
export interface Measuring {
  readonly url: string
  readonly rounds: number
  readonly outstanding: number
  readonly messages: { readonly small: number; readonly large: number; readonly through: number }
  readonly bytes: { readonly small: number; readonly large: number }
  readonly peers: ReadonlyMap<string, BrokerRates>
}

/** All cases: a client of our broker beside the raw clients of others, each client and each server a process of its own. */
export async function casesOf({ url, rounds, outstanding, messages, bytes, peers }: Measuring): Promise<CaseResult[]> {
  const play = (work: Work, count: number, size: number) => async (): Promise<Cost> => {
    const round: Round = { url, work, messages: count, outstanding, bytes: size }
    return JSON.parse(await outputOf(program, [JSON.stringify(round)], roundMsMax)) as Cost
  }
  const costs = await interleaved(rounds, {
    small: play('publish', messages.small, bytes.small),
    engine: play('engine', messages.small, bytes.small),
    large: play('publish', messages.large, bytes.large),
    through: play('through', messages.through, bytes.small),
    keyed: play('keyed', messages.through, bytes.small),
  })
  const beside = (pick: (rates: BrokerRates) => number) =>
    Object.fromEntries([...peers].map(([name, rates]) => [name, pick(rates)]))
  const published = (size: 'small' | 'large') => beside(({ publish }) => publish[size])
  const handled = beside(({ through }) => through)
  const name = `over link, ${bytes.small} B`
  const unit = 'msg/s'
  const cpu = { unit: 'µs/msg', peers: {} }
  return [
    resultOf({
      ...{ case: `publish, confirmed, ${name}`, unit, ours: rateIn(costs.small) },
      ...{ peers: published('small'), goal: goals.publish },
    }),
    resultOf({ case: `publish, confirmed, ${name}, engine alone`, unit, ours: rateIn(costs.engine) }),
    resultOf({
      ...{ case: `publish, confirmed, over link, ${bytes.large} B`, unit, ours: rateIn(costs.large) },
      peers: published('large'),
    }),
    resultOf({
      ...{ case: `publish, handle, ack, ${name}`, unit, ours: rateIn(costs.through) },
      ...{ peers: handled, goal: goals.through },
    }),
    resultOf({ case: `publish, handle, ack, ${name}, 1,000 keys`, unit, ours: rateIn(costs.keyed), peers: handled }),
    resultOf({ case: `publish, ${name}, main thread of the client`, ...cpu, ours: cpuIn(costs.small) }),
    resultOf({ case: `publish, handle, ack, ${name}, main thread of the client`, ...cpu, ours: cpuIn(costs.through) }),
  ]
}

const rateIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.perSecond))
const cpuIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.cpuUs))
