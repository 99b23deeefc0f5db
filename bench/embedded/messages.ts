import { type EventContract, event } from '@posthaste/contracts'
import { z } from 'zod'

const Order = z.object({ orderNo: z.string(), customer: z.int(), total: z.number(), note: z.string() })

/** What is published: an ordinary schema, checked when publishing and again when handling. */
export type Order = z.infer<typeof Order>

/** Kept for a day, so that what is published stays, as what is put does. */
export const Stored: EventContract<typeof Order> = event('bench.stored', {
  data: Order,
  retention: { forMs: 86_400_000 },
})
/** Handled, and gone then. */
export const Unkeyed: EventContract<typeof Order> = event('bench.unkeyed', { data: Order })
/** The same, in the order of a thousand keys. */
export const Keyed: EventContract<typeof Order> = event('bench.keyed', { data: Order, key: (order) => order.orderNo })

/** How many different orders there are. */
export const orderCount = 1_000

/** Different orders whose JSON has exactly this many bytes. */
export function ordersOf(bytes: number): readonly Order[] {
  return Array.from({ length: orderCount }, (_, index) => {
    const order = { orderNo: `A-${10_000 + index}`, customer: 700_000 + index, total: 129.9, note: '' }
    const missing = bytes - JSON.stringify(order).length
    if (missing < 0) throw new RangeError(`an order has at least ${bytes - missing} bytes`)
    return { ...order, note: 'x'.repeat(missing) }
  })
}
