import type { Broker, BrokerQueue, RunningBroker } from '../brokers/broker.ts'
import { natsDefault, natsSynced } from '../brokers/nats.ts'
import { rabbitmq } from '../brokers/rabbitmq.ts'
import { redis } from '../brokers/redis.ts'
import { median, rateFor } from '../measure.ts'
import { Backlog, backlogFactor } from './backlog.ts'
import { withDirectory } from './scratch.ts'

/** Everybody else, in the order of the table. */
export const brokers: readonly Broker[] = [rabbitmq, natsSynced, natsDefault, redis]

/** What one broker did: messages per second. */
export interface BrokerRates {
  readonly publish: Readonly<Record<'small' | 'large', number>>
  readonly through: number
}

/** What was measured, and what could not be and why. */
export interface BrokerFigures {
  readonly rates: ReadonlyMap<Broker, BrokerRates>
  /** For the document: each broker's version, or why it is missing. */
  readonly notes: Readonly<Record<string, string>>
}

/** How brokers are measured: for a time, since nobody knows how fast they are here. */
export interface BrokerWork {
  readonly rounds: number
  readonly durationMs: number
  readonly outstanding: number
  readonly bytes: { readonly small: number; readonly large: number }
}

/** Measures one broker after the other, each alone on the machine: started, given the work, stopped. */
export async function brokerFigures(work: BrokerWork, contestants = brokers): Promise<BrokerFigures> {
  const rates = new Map<Broker, BrokerRates>()
  const notes: Record<string, string> = {}
  for (const broker of contestants) {
    const missing = broker.missing()
    notes[broker.name] = missing ?? (await withDirectory((dir) => measure({ broker, dir, work, rates })))
  }
  return { rates, notes }
}

interface Measuring {
  readonly broker: Broker
  readonly dir: string
  readonly work: BrokerWork
  readonly rates: Map<Broker, BrokerRates>
}

/** @returns the version, for the notes */
async function measure({ broker, dir, work, rates }: Measuring): Promise<string> {
  const running = await broker.start(dir)
  try {
    rates.set(broker, {
      publish: {
        small: await medianOf(running, work, (queue) => publishRate(queue, work, work.bytes.small)),
        large: await medianOf(running, work, (queue) => publishRate(queue, work, work.bytes.large)),
      },
      through: await medianOf(running, work, (queue) => throughRate(queue, work)),
    })
    return running.version
  } finally {
    await running.stop()
  }
}

/** A first round warms up and is dropped. */
async function medianOf(
  running: RunningBroker,
  { rounds }: BrokerWork,
  run: (queue: BrokerQueue) => Promise<number>,
): Promise<number> {
  const figures: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const queue = await running.open()
    const figure = await inTime(run(queue))
    await queue.close()
    if (round > 0) figures.push(figure)
  }
  return median(figures)
}

const roundMsMax = 120_000

/** A broker that stops answering ends the benchmark instead of holding it up. */
async function inTime(figure: Promise<number>): Promise<number> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const error = new Error(`a broker had not done its work after ${roundMsMax} ms`)
    timer = setTimeout(reject, roundMsMax, error)
  })
  try {
    return await Promise.race([figure, late])
  } finally {
    clearTimeout(timer)
  }
}

async function publishRate(queue: BrokerQueue, work: BrokerWork, bytes: number): Promise<number> {
  const body = Buffer.alloc(bytes, 'x')
  return (await rateFor(work.durationMs, work.outstanding, () => queue.publish(body))).perSecond
}

/** The same work as ours, schema and codec left out: bytes, confirmed, to a handler, acknowledged. */
async function throughRate(queue: BrokerQueue, { durationMs, outstanding, bytes }: BrokerWork): Promise<number> {
  const body = Buffer.alloc(bytes.small, 'x')
  const backlog = new Backlog(backlogFactor * outstanding)
  await queue.consume(() => backlog.less(), 2 * outstanding)
  const beganAtMs = performance.now()
  const { count } = await rateFor(durationMs, outstanding, async () => {
    const room = backlog.more()
    if (room !== undefined) await room
    await queue.publish(body)
  })
  while (backlog.size > 0 || !(await queue.isDone())) await new Promise(setImmediate)
  return (count / (performance.now() - beganAtMs)) * 1_000
}
