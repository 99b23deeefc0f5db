import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Engine } from '@posthaste/contracts'
import { type App, event, type MessageContext, posthaste } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import { z } from 'zod'
import type { ForeignEvent } from './foreign-client.ts'

const Order = z.object({ orderNo: z.string(), customer: z.string() })

/** What the events of these tests are about. */
export type Order = z.infer<typeof Order>

/** Text that survives as UTF-8 alone. */
export const order: Order = { orderNo: 'A-1', customer: 'Grüße, 你好 🐎' }

/** An event as contracts see it; with a key, its messages keep their order. */
export const OrderPlaced = event('interop.order.placed', { data: Order, key: ({ orderNo }) => orderNo })

/** The same without a key. */
export const OrderSeen = event('interop.order.seen', { data: Order })

/** What a handler was given. */
export interface Handled {
  readonly data: Order
  readonly context: Pick<MessageContext, 'id' | 'type' | 'source' | 'time' | 'key' | 'headers'>
}

/** An application that follows both events, as any user would write it. */
export interface Follower {
  readonly app: App
  /** Waits for the first message like that. */
  handled(isWanted: (message: Handled) => boolean): Promise<Handled>
}

/** Starts one. */
export async function follower(engine: Engine): Promise<Follower> {
  const seen: Handled[] = []
  const app = posthaste({ name: 'interop', engine, log: silentLog, signals: false })
  for (const contract of [OrderPlaced, OrderSeen]) {
    app.on(contract, { group: 'watch' }, (data, { id, type, source, time, key, headers }) => {
      seen.push({ data, context: { id, type, source, time, key, headers } })
    })
  }
  await app.start()
  return {
    app,
    async handled(isWanted) {
      for (;;) {
        const found = seen.find(isWanted)
        if (found) return found
        await sleep(20)
      }
    },
  }
}

/** An event of somebody else's, with an extension attribute that is no concern of ours. */
export function foreignEvent(type: string, data: Order = order): ForeignEvent {
  return {
    attributes: {
      id: randomUUID(),
      source: '/billing',
      specversion: '1.0',
      type,
      time: '2026-02-03T04:05:06.789Z',
      datacontenttype: 'application/json',
      partitionkey: data.orderNo,
      tenant: 'größer',
    },
    data: Buffer.from(JSON.stringify(data)).toString('base64'),
  }
}

/** What a handler must have been given for {@link foreignEvent}. */
export function handledAs({ attributes }: ForeignEvent, data: Order = order): Handled {
  const { id = '', type = '', source = '', time, partitionkey, tenant = '' } = attributes
  const headers = { type, source, time: time ?? '', datacontenttype: 'application/json', tenant }
  return { data, context: { id, type, source, time, key: partitionkey, headers } }
}

/** Whether a message is that event. */
export function is({ attributes }: ForeignEvent): (message: Handled) => boolean {
  return ({ context }) => context.id === attributes.id
}

/** Data alone, without a word about it. */
export const bareEvent: ForeignEvent = {
  attributes: {},
  data: Buffer.from(JSON.stringify({ ...order, orderNo: 'bare' })).toString('base64'),
}

/** Whether a message is {@link bareEvent}. */
export const isBare = ({ data }: Handled): boolean => data.orderNo === 'bare'

/** The data of an event that a foreign client read. */
export function dataOf({ data }: ForeignEvent): unknown {
  return JSON.parse(Buffer.from(data, 'base64').toString('utf8'))
}
