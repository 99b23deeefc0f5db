import type { Engine, Log, OutgoingRecord } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { type App, type EventContract, posthaste } from 'posthaste'
import { atRate, latenciesOf, rateOf } from '../measure.ts'
import { Backlog, backlogFactor } from './backlog.ts'
import { Keyed, ordersOf, Stored, Unkeyed } from './messages.ts'
import { withDirectory } from './scratch.ts'

/** How much work one measurement is. */
export interface Amount {
  readonly messages: number
  /** Publishes under way at a time. */
  readonly outstanding: number
  /** Bytes of a body. */
  readonly bytes: number
}

const silent = (): void => {}
const silentLog: Log = { debug: silent, info: silent, warn: silent, error: console.error }

async function withApp<T>(setUp: (app: App) => void, run: (app: App, engine: Engine) => Promise<T>): Promise<T> {
  return withDirectory(async (dir) => {
    const engine = embedded({ dir })
    const app = posthaste({ name: 'bench', engine, log: silentLog, signals: false })
    setUp(app)
    await app.start()
    try {
      return await run(app, engine)
    } finally {
      await app.close()
    }
  })
}

/** Durable publishes of a typed contract per second, with a promise each. */
export function publishRate({ messages, outstanding, bytes }: Amount): Promise<number> {
  const orders = ordersOf(bytes)
  return withApp(silent, async (app) => {
    await app.publish(Stored, orders[0]!)
    return rateOf(messages, outstanding, (index) => app.publish(Stored, orders[index % orders.length]!))
  })
}

/** The same past schema, codec and envelope: records handed to the engine, a call and a promise each. */
export function engineRate({ messages, outstanding, bytes }: Amount): Promise<number> {
  const body = Buffer.alloc(bytes, 'x')
  const headers = {
    type: Stored.type,
    source: '/bench',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
  }
  return withApp(silent, async (app, engine) => {
    await app.publish(Stored, ordersOf(100)[0]!)
    return rateOf(messages, outstanding, async (index) => {
      const record: OutgoingRecord = { id: `01936d2e-0000-7000-8000-${index}`, channel: Stored.type, headers, body }
      const [outcome] = await engine.publish([record])
      if (outcome?.ok !== true) throw outcome?.error ?? new Error('no outcome')
    })
  })
}

/**
 * Messages per second from publishing to acknowledged, all of it durable, until the last one is. Publishers wait where
 * the handler is too far behind, so that it is a steady flow that is measured, and not the reading of a backlog.
 */
export function throughRate(
  { messages, outstanding, bytes }: Amount,
  contract: EventContract,
  groups = 1,
): Promise<number> {
  const orders = ordersOf(bytes)
  const backlog = new Backlog(backlogFactor * outstanding * groups)
  const names = Array.from({ length: groups }, (_, index) => `bench-${index}`)
  const setUp = (app: App): void => {
    for (const group of names) app.on(contract, { group, prefetch: 2 * outstanding }, () => backlog.less())
  }
  return withApp(setUp, async (app, engine) => {
    const beganAtMs = performance.now()
    await rateOf(messages, outstanding, async (index) => {
      const room = backlog.more(groups)
      if (room !== undefined) await room
      await app.publish(contract, orders[index % orders.length]!)
    })
    while (await isBehind(engine, contract, names)) await new Promise(setImmediate)
    // The acknowledgements are durable no later than whatever is published after them.
    await app.publish(Stored, orders[0]!)
    if (backlog.size !== 0) throw new Error(`${backlog.size} of ${messages * groups} were not handled`)
    return (messages / (performance.now() - beganAtMs)) * 1_000
  })
}

async function isBehind(engine: Engine, { type }: EventContract, groups: readonly string[]): Promise<boolean> {
  for (const group of groups) {
    const { ready, waiting, inFlight } = await engine.lag!.lag(type, group)
    if (ready + waiting + inFlight > 0) return true
  }
  return false
}

/**
 * Microseconds from when each message was to be published to its handler, at a steady rate: schema, publish, sync to disk,
 * delivery, schema. The next message is published whether this one is handled or not.
 */
export function handledLatencies(rate: { perSecond: number; count: number }, bytes: number): Promise<number[]> {
  const orders = ordersOf(bytes)
  const latencies: number[] = []
  const dueAtMs = new Map<number, number>()
  const setUp = (app: App): void => {
    app.on(Unkeyed, { group: 'bench', prefetch: 4_096 }, ({ customer }) => {
      latencies.push((performance.now() - dueAtMs.get(customer)!) * 1_000)
      dueAtMs.delete(customer)
    })
  }
  return withApp(setUp, async (app) => {
    const published: Promise<unknown>[] = []
    await atRate(rate, (index, dueMs) => {
      // Told apart by a field of the message, as long as every other one's.
      const customer = 100_000 + index
      dueAtMs.set(customer, dueMs)
      published.push(app.publish(Unkeyed, { ...orders[index % orders.length]!, customer }))
    })
    await Promise.all(published)
    while (dueAtMs.size > 0) await new Promise(setImmediate)
    return latencies
  })
}

/** Through, without and with keys. */
export const through = {
  unkeyed: (amount: Amount): Promise<number> => throughRate(amount, Unkeyed),
  keyed: (amount: Amount): Promise<number> => throughRate(amount, Keyed),
  fannedOut: (amount: Amount, groups: number): Promise<number> => throughRate(amount, Unkeyed, groups),
}

/** Microseconds of each publish, one at a time. */
export function publishLatencies(count: number, bytes: number): Promise<number[]> {
  const orders = ordersOf(bytes)
  return withApp(silent, async (app) => {
    await app.publish(Stored, orders[0]!)
    return latenciesOf(count, (index) => app.publish(Stored, orders[index % orders.length]!))
  })
}
