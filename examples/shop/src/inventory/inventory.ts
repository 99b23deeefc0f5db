import { PosthasteError } from 'posthaste'
import { catalogue } from '../catalogue.ts'
import {
  GoodsReturned,
  Inventory,
  OrderCancelled,
  OrderCreated,
  StockDeducted,
  StockGivenBack,
  StockRefused,
} from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import { once, say } from '../store/inbox.ts'
import type { Store, Transaction } from '../store/store.ts'
import { comebacks, count, move, piecesOf, reservations, shelfOf, shelves, shortOf } from './stock.ts'

const group = 'inventory'

/** What the inventory may be told beside its work. */
export interface InventoryOptions {
  /** Runs before every look at the stock: makes it slow, or fail, in tests and demonstrations. */
  readonly beforeCheck?: (() => Promise<void> | void) | undefined
  /** Runs before every order is deducted, to the same end. */
  readonly beforeDeduct?: (() => Promise<void> | void) | undefined
}

/** An inventory that is down is left alone, while orders wait in its queue, and found well again within two seconds. */
const breaker = { openMs: 500, openMsMax: 2_000 } as const

/** The inventory: what is on the shelves, and who took it. */
export function inventoryService(app: ServiceHost, store: Store, options: InventoryOptions = {}): void {
  const { beforeCheck, beforeDeduct } = options
  app.serve(Inventory, {
    async checkStock({ items }) {
      await beforeCheck?.()
      return { checked: true, short: shortOf(store, piecesOf(items)) }
    },
    stockOf({ productId }) {
      const shelf = store.get(shelves, productId)
      if (shelf === undefined) throw new PosthasteError('NOT_FOUND', `there is no product '${productId}'`)
      return { productId, onHand: shelf.onHand }
    },
  })
  const deductOnce = once(store, deduct)
  app.on(OrderCreated, { group, breaker }, async (order, context) => {
    await beforeDeduct?.()
    await deductOnce(order, context)
  })
  app.on(OrderCancelled, { group }, once(store, giveBack))
  app.on(
    GoodsReturned,
    { group },
    once(store, ({ returnNo, lines }, tx) => {
      if (tx.get(comebacks, returnNo) !== undefined) return
      const pieces = piecesOf(lines)
      move(tx, pieces, 'in')
      tx.put(comebacks, [returnNo], pieces)
    }),
  )
}

/** Puts the products of the catalogue on their shelves, once. */
export function openShelves(store: Store): Promise<void> {
  return store.transact((tx) => {
    for (const { productId } of catalogue) tx.put(shelves, [productId], shelfOf(tx, productId))
  })
}

/**
 * All pieces of an order, or none. The inbox knows a message that comes again; the reservation knows an order that comes
 * again in another message.
 */
function deduct({ orderNo, lines, totalPence }: OrderCreated, tx: Transaction) {
  const known = tx.get(reservations, orderNo)
  if (known?.state === 'void') tx.put(reservations, [orderNo], { ...known, overtaken: true })
  if (known !== undefined) return []
  const pieces = piecesOf(lines)
  const short = shortOf(tx, pieces)
  if (short.length > 0) {
    tx.put(reservations, [orderNo], { state: 'refused', pieces: [] })
    return [say(StockRefused, { orderNo, short })]
  }
  move(tx, pieces, 'out')
  tx.put(reservations, [orderNo], { state: 'deducted', pieces })
  return [say(StockDeducted, { orderNo, totalPence })]
}

function giveBack({ orderNo }: { readonly orderNo: string }, tx: Transaction) {
  const known = tx.get(reservations, orderNo)
  if (known === undefined) tx.put(reservations, [orderNo], { state: 'void', pieces: [] })
  if (known?.state !== 'deducted') return []
  move(tx, known.pieces, 'in')
  tx.put(reservations, [orderNo], { ...known, state: 'given back' })
  return [say(StockGivenBack, { orderNo, pieces: count(known.pieces) })]
}
