import { orders } from '../../orders/order.ts'
import { settle } from '../../replay/settle.ts'
import type { Shop } from '../../shop.ts'

/** How a shop stands once it is quiet. */
export interface Quiet {
  /** Orders in its books, all of them shipped or cancelled. */
  readonly orders: number
  readonly shipped: number
  readonly balanced: boolean
}

const stallMs = 30_000
const unseen = { show() {}, print() {}, end() {} }

/** Waits until every order of a shop is at its end, and looks into the books. */
export async function settled(shop: Shop): Promise<Quiet> {
  const { balanced } = await settle(shop, unseen, stallMs)
  const states = [...shop.store.list(orders)].map(([, { state }]) => state)
  return { orders: states.length, shipped: states.filter((state) => state === 'shipped').length, balanced }
}
