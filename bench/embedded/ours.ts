import type { Engine } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import type { App, EventContract } from 'posthaste'
import { atRate, latenciesOf } from '../measure.ts'
import { type Amount, engineRateOn, publishRateOn, throughRateOn, withApp } from './load.ts'
import { Keyed, ordersOf, Stored, Unkeyed } from './messages.ts'
import { withDirectory } from './scratch.ts'

const silent = (): void => {}

/** Runs with an embedded engine in a directory of its own. */
function withEmbedded<T>(run: (engine: Engine) => Promise<T>): Promise<T> {
  return withDirectory((dir) => run(embedded({ dir })))
}

/** Durable publishes of a typed contract per second, with a promise each. */
export function publishRate(amount: Amount): Promise<number> {
  return withEmbedded((engine) => publishRateOn(engine, amount))
}

/** The same past schema, codec and envelope. */
export function engineRate(amount: Amount): Promise<number> {
  return withEmbedded((engine) => engineRateOn(engine, amount))
}

function throughRate(amount: Amount, contract: EventContract, groups?: number): Promise<number> {
  return withEmbedded((engine) => throughRateOn(engine, { ...amount, contract, groups }))
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
  return withEmbedded((engine) =>
    withApp(engine, setUp, async (app) => {
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
    }),
  )
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
  return withEmbedded((engine) =>
    withApp(engine, silent, async (app) => {
      await app.publish(Stored, orders[0]!)
      return latenciesOf(count, (index) => app.publish(Stored, orders[index % orders.length]!))
    }),
  )
}
