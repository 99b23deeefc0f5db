import type { Engine, Log, OutgoingRecord } from '@posthaste/contracts'
import { type App, type EventContract, posthaste } from 'posthaste'
import { rateOf } from '../measure.ts'
import { Backlog, backlogFactor } from './backlog.ts'
import { ordersOf, Stored } from './messages.ts'

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

/** Runs with an application on an engine, which is closed afterwards. */
export async function withApp<T>(engine: Engine, setUp: (app: App) => void, run: (app: App) => Promise<T>): Promise<T> {
  const app = posthaste({ name: 'bench', engine, log: silentLog, signals: false })
  setUp(app)
  await app.start()
  try {
    return await run(app)
  } finally {
    await app.close()
  }
}

/** Durable publishes of a typed contract per second, with a promise each. */
export function publishRateOn(engine: Engine, { messages, outstanding, bytes }: Amount): Promise<number> {
  const orders = ordersOf(bytes)
  return withApp(engine, silent, async (app) => {
    await app.publish(Stored, orders[0]!)
    return rateOf(messages, outstanding, (index) => app.publish(Stored, orders[index % orders.length]!))
  })
}

/** The same past schema, codec and envelope: records handed to the engine, a call and a promise each. */
export function engineRateOn(engine: Engine, { messages, outstanding, bytes }: Amount): Promise<number> {
  const body = Buffer.alloc(bytes, 'x')
  const headers = {
    type: Stored.type,
    source: '/bench',
    time: '2026-01-01T00:00:00.000Z',
    datacontenttype: 'application/json',
  }
  return withApp(engine, silent, async (app) => {
    await app.publish(Stored, ordersOf(100)[0]!)
    return rateOf(messages, outstanding, async (index) => {
      const record: OutgoingRecord = { id: `01936d2e-0000-7000-8000-${index}`, channel: Stored.type, headers, body }
      const [outcome] = await engine.publish([record])
      if (outcome?.ok !== true) throw outcome?.error ?? new Error('no outcome')
    })
  })
}

/** What is handled, and by how many groups. */
export interface Through extends Amount {
  readonly contract: EventContract
  readonly groups?: number | undefined
}

/**
 * Messages per second from publishing to acknowledged, all of it durable, until the last one is. Publishers wait where
 * the handler is too far behind, so that it is a steady flow that is measured, and not the reading of a backlog.
 */
export function throughRateOn(
  engine: Engine,
  { messages, outstanding, bytes, contract, groups = 1 }: Through,
): Promise<number> {
  const orders = ordersOf(bytes)
  const backlog = new Backlog(backlogFactor * outstanding * groups)
  const names = Array.from({ length: groups }, (_, index) => `bench-${index}`)
  const setUp = (app: App): void => {
    for (const group of names) app.on(contract, { group, prefetch: 2 * outstanding }, () => backlog.less())
  }
  return withApp(engine, setUp, async (app) => {
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
