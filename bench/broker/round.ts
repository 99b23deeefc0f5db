import { broker } from '@posthaste/broker'
import type { EventContract } from '@posthaste/contracts'
import { type Amount, engineRateOn, publishRateOn, throughRateOn } from '../embedded/load.ts'
import { Keyed, Unkeyed } from '../embedded/messages.ts'
import { type Cost, costOf } from '../measure.ts'

/** What a client does: publishes by the bus or by the engine alone, or publishes and handles. */
export type Work = 'publish' | 'engine' | 'through' | 'keyed'

/** One round of a client. */
export interface Round extends Amount {
  readonly url: string
  readonly work: Work
}

const contracts: Readonly<Record<'through' | 'keyed', EventContract>> = { through: Unkeyed, keyed: Keyed }

/** A tenth of it first, so that nothing is measured that is done once. */
const warmUp = 10

/** Plays one round, in this process. */
export async function play({ url, work, ...amount }: Round): Promise<Cost> {
  const rate = (each: Amount): Promise<number> => {
    const engine = broker(url)
    if (work === 'publish') return publishRateOn(engine, each)
    if (work === 'engine') return engineRateOn(engine, each)
    return throughRateOn(engine, { ...each, contract: contracts[work] })
  }
  await rate({ ...amount, messages: Math.ceil(amount.messages / warmUp) })
  return costOf(amount.messages, () => rate(amount))
}
