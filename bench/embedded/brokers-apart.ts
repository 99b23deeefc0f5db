import { join } from 'node:path'
import { outputOf } from '../child.ts'
import { type BrokerFigures, type BrokerRates, type BrokerWork, brokers } from './brokers.ts'

/** Figures on their way from one process to another: brokers by name. */
export interface ToldFigures {
  readonly rates: readonly (readonly [name: string, rates: BrokerRates])[]
  readonly notes: Readonly<Record<string, string>>
}

const program = join(import.meta.dirname, 'brokers-program.ts')

/**
 * Measures the brokers in a process of their own: once their clients have run in a process, everything else in it that makes
 * promises is half as fast, so ours would be measured with their clients' costs.
 */
export async function brokerFiguresApart(work: BrokerWork): Promise<BrokerFigures> {
  const { rates, notes } = JSON.parse(await outputOf(program, [JSON.stringify(work)])) as ToldFigures
  const named = new Map(rates)
  return { rates: new Map(brokers.flatMap((broker) => pairOf(broker, named.get(broker.name)))), notes }
}

function pairOf<K, V>(key: K, value: V | undefined): readonly (readonly [K, V])[] {
  return value === undefined ? [] : [[key, value]]
}
