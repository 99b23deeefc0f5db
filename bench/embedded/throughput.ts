import type { Broker } from '../brokers/broker.ts'
import { natsDefault, natsSynced } from '../brokers/nats.ts'
import { rabbitmq } from '../brokers/rabbitmq.ts'
import { type CaseResult, resultOf } from '../document.ts'
import { type Cost, costOf, interleaved, median } from '../measure.ts'
import type { BrokerRates } from './brokers.ts'
import { engineRate, publishRate, through } from './ours.ts'
import { putGetRemoveRate, putRate } from './peers.ts'

const putName = 'lmdb put'
const bareName = 'lmdb put, get, remove'
const perSecond = 'msg/s'
const perMessage = 'µs/msg'

/** What we aim for, in multiples of what others do beside us. */
const goals = {
  publish: { min: 0.8, of: putName },
  through: { min: 300_000 },
  brokers: new Map<Broker, number>([
    [rabbitmq, 8],
    [natsSynced, 3],
    [natsDefault, 3],
  ]),
}

/** How a case is measured, and what the brokers did. */
interface Work {
  readonly rounds: number
  readonly outstanding: number
  readonly bytes: number
  readonly count: number
  readonly brokers: ReadonlyMap<Broker, BrokerRates>
}

/** A promise per message, resolved when it is on disk. */
export async function publishing(
  work: Work & { readonly name: string; readonly size: 'small' | 'large'; readonly disk: number },
): Promise<CaseResult[]> {
  const { count, outstanding, bytes, disk, size, rounds } = work
  const name = `durable publish, ${work.name}`
  const amount = { messages: count, outstanding, bytes }
  const costs = await interleaved(rounds, {
    ours: () => costOf(count, () => publishRate(amount)),
    put: () => costOf(count, () => putRate(amount)),
    engine: () => costOf(count, () => engineRate(amount)),
  })
  const bare = { [putName]: rateIn(costs.put) }
  const peers = { ...bare, ...ratesOf(work.brokers, ({ publish }) => publish[size]) }
  const limit = { name: 'disk, bodies alone', value: disk / bytes }
  const goal = goals.publish
  const cpuPeers = { [putName]: cpuIn(costs.put), 'engine alone': cpuIn(costs.engine) }
  return [
    resultOf({ case: name, unit: perSecond, ours: rateIn(costs.ours), peers, limit, goal }),
    resultOf({ case: `${name}, engine alone`, unit: perSecond, ours: rateIn(costs.engine), peers: bare, limit, goal }),
    resultOf({ case: `${name}, main thread`, unit: perMessage, ours: cpuIn(costs.ours), peers: cpuPeers }),
  ]
}

/** From publishing to acknowledged. */
export async function passing({ count, outstanding, bytes, brokers, rounds }: Work): Promise<CaseResult[]> {
  const amount = { messages: count, outstanding, bytes }
  const costs = await interleaved(rounds, {
    unkeyed: () => costOf(count, () => through.unkeyed(amount)),
    bare: () => costOf(count, () => putGetRemoveRate(amount)),
    keyed: () => costOf(count, () => through.keyed(amount)),
  })
  const name = `publish, handle, ack, ${bytes} B`
  const ours = rateIn(costs.unkeyed)
  const bare = { [bareName]: rateIn(costs.bare) }
  const rates = ratesOf(brokers, (rate) => rate.through)
  const cpuPeers = { [bareName]: cpuIn(costs.bare), 'ours with keys': cpuIn(costs.keyed) }
  const keyedPeers = { ...bare, 'ours without keys': ours }
  const against = [...goals.brokers].flatMap(([broker, min]) => {
    const rate = rates[broker.name]
    if (rate === undefined) return []
    const peers = { [broker.name]: rate }
    return resultOf({
      case: `${name}, against ${broker.name}`,
      unit: perSecond,
      ours,
      peers,
      goal: { min, of: broker.name },
    })
  })
  return [
    resultOf({ case: name, unit: perSecond, ours, peers: { ...bare, ...rates }, goal: goals.through }),
    ...against,
    resultOf({ case: `${name}, 1,000 keys`, unit: perSecond, ours: rateIn(costs.keyed), peers: keyedPeers }),
    resultOf({ case: `${name}, main thread`, unit: perMessage, ours: cpuIn(costs.unkeyed), peers: cpuPeers }),
  ]
}

/** Each event handled and acknowledged by every one of many groups. */
export async function fanningOut(work: {
  readonly rounds: number
  readonly groups: number
  readonly messages: number
  readonly outstanding: number
  readonly bytes: number
}): Promise<CaseResult[]> {
  const { groups, messages, rounds } = work
  const figures = await interleaved(rounds, {
    many: () => through.fannedOut(work, groups),
    one: () => through.fannedOut({ ...work, messages: messages * groups }, 1),
  })
  return [
    resultOf({
      case: `fan-out to ${groups} groups, ${work.bytes} B`,
      unit: 'deliveries/s',
      ours: median(figures.many) * groups,
      peers: { 'one group': median(figures.one) },
    }),
  ]
}

function ratesOf(
  brokers: ReadonlyMap<Broker, BrokerRates>,
  pick: (rates: BrokerRates) => number,
): Readonly<Record<string, number>> {
  return Object.fromEntries([...brokers].map(([broker, rates]) => [broker.name, pick(rates)]))
}

const rateIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.perSecond))
const cpuIn = (costs: readonly Cost[]): number => median(costs.map((cost) => cost.cpuUs))
