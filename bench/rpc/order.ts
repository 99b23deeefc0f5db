import { z } from 'zod'

/** What every contestant echoes, checked by each side of each: about 100 bytes of JSON beside its note. */
export const Order = z.object({
  orderNo: z.string().min(1).max(64),
  sku: z.string().min(1).max(64),
  quantity: z.number().int().min(1).max(1_000_000),
  price: z.number().positive(),
  note: z.string(),
})

/** An order. */
export type Order = z.infer<typeof Order>

/** Which stream of orders is asked for. */
export const Watch = z.object({
  /** Bytes of each one's note. */
  noteBytes: z.number().int().min(0),
  /** How many; a caller that has enough leaves earlier. */
  count: z.number().int().min(1),
})

/** Which stream of orders is asked for. */
export type Watch = z.infer<typeof Watch>

/** An order with a note of so many bytes. */
export function orderOf(noteBytes: number): Order {
  return { orderNo: 'A-2026-000417', sku: 'sku-4711-blue-xl', quantity: 3, price: 19.95, note: 'n'.repeat(noteBytes) }
}

/** The orders of a stream, the same on every server. */
export async function* ordersOf({ noteBytes, count }: Watch): AsyncGenerator<Order> {
  const order = orderOf(noteBytes)
  for (let n = 0; n < count; n++) yield order
}
