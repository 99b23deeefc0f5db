import type { Engine, Log, OutgoingRecord } from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { type App, type EventContract, posthaste } from 'posthaste'
import { latenciesOf, rateOf } from '../measure.ts'
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

/** Published and not handled yet, as a multiple of what is being published: a service that keeps up. */
export const backlogFactor = 4

/**
 * Messages per second from publishing to acknowledged, all of it durable, until the last one is. Publishers wait where
 * the handler is too far behind, so that it is a steady flow that is measured, and not the reading of a backlog.
 */
export function throughRate({ messages, outstanding, bytes }: Amount, contract: EventContract): Promise<number> {
  const orders = ordersOf(bytes)
  const backlog = new Backlog(backlogFactor * outstanding)
  const setUp = (app: App): void => {
    app.on(contract, { group: 'bench', prefetch: 2 * outstanding }, () => backlog.less())
  }
  return withApp(setUp, async (app, engine) => {
    const beganAtMs = performance.now()
    await rateOf(messages, outstanding, async (index) => {
      const room = backlog.more()
      if (room !== undefined) await room
      await app.publish(contract, orders[index % orders.length]!)
    })
    while (await isBehind(engine, contract)) await new Promise(setImmediate)
    // The acknowledgements are durable no later than whatever is published after them.
    await app.publish(Stored, orders[0]!)
    if (backlog.size !== 0) throw new Error(`${backlog.size} of ${messages} were not handled`)
    return (messages / (performance.now() - beganAtMs)) * 1_000
  })
}

/** Counts what is on its way, and makes publishers wait while that is too much. */
class Backlog {
  readonly #max: number
  #open: (() => void) | undefined
  #room: Promise<void> | undefined
  size = 0

  constructor(max: number) {
    this.#max = max
  }

  /** One more is on its way; if there was no room for it, that is waited for by whoever awaits the answer. */
  more(): Promise<void> | undefined {
    if (++this.size <= this.#max) return undefined
    this.#room ??= new Promise((resolve) => {
      this.#open = resolve
    })
    return this.#room
  }

  /** One has arrived. */
  less(): void {
    if (--this.size > this.#max / 2 || this.#open === undefined) return
    this.#open()
    this.#open = undefined
    this.#room = undefined
  }
}

async function isBehind(engine: Engine, contract: EventContract): Promise<boolean> {
  const { ready, waiting, inFlight } = await engine.lag!.lag(contract.type, 'bench')
  return ready + waiting + inFlight > 0
}

/** Through, without and with keys. */
export const through = {
  unkeyed: (amount: Amount): Promise<number> => throughRate(amount, Unkeyed),
  keyed: (amount: Amount): Promise<number> => throughRate(amount, Keyed),
}

/** Microseconds of each publish, one at a time. */
export function publishLatencies(count: number, bytes: number): Promise<number[]> {
  const orders = ordersOf(bytes)
  return withApp(silent, async (app) => {
    await app.publish(Stored, orders[0]!)
    return latenciesOf(count, (index) => app.publish(Stored, orders[index % orders.length]!))
  })
}
