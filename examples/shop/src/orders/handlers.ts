import {
  CancelUnpaid,
  LatePaymentRefunded,
  OrderCancelled,
  OrderCreated,
  OrderPaid,
  OrderShipped,
  PaymentSucceeded,
  PointsGranted,
  ReturnRefunded,
  StockDeducted,
  StockGivenBack,
  StockRefused,
} from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import { formatPence } from '../money.ts'
import { once, say } from '../store/inbox.ts'
import type { Store, Transaction } from '../store/store.ts'
import { advanced, isUndecided, type Order, orderOf, orders, returns, withHistory } from './order.ts'

const group = 'orders'

/**
 * Moves orders on. The order service alone decides whether an order is paid or cancelled; the others follow, so that
 * nothing is shipped that was given up, whoever was first.
 *
 * @param unpaidMs how long an order may stay unpaid while the shop is open
 */
export function handleOrders(app: ServiceHost, store: Store, unpaidMs: number): void {
  app.on(
    OrderCreated,
    { group },
    once(store, ({ orderNo, createdAtMs }) => [say(CancelUnpaid, { orderNo }, createdAtMs + unpaidMs)]),
  )
  app.handle(CancelUnpaid, once(store, cancelUnpaid(unpaidMs)))
  followStock(app, store)
  followMoney(app, store)
  app.on(
    OrderShipped,
    { group },
    once(store, ({ orderNo, trackingNo }, tx) => {
      tx.put(orders, [orderNo], advanced(orderOf(tx, orderNo), 'shipped', `shipped as ${trackingNo}`))
    }),
  )
  app.on(
    PointsGranted,
    { group },
    once(store, ({ orderNo, points }, tx) => note(tx, orderNo, `${points} points granted`)),
  )
}

function followStock(app: ServiceHost, store: Store): void {
  app.on(
    StockDeducted,
    { group },
    once(store, ({ orderNo }, tx) => {
      tx.put(orders, [orderNo], advanced(orderOf(tx, orderNo), 'reserved', 'stock deducted'))
    }),
  )
  app.on(
    StockRefused,
    { group },
    once(store, ({ orderNo, short }, tx) =>
      cancel(tx, orderNo, { reason: 'out of stock', what: `out of stock: ${short.join(', ')}` }),
    ),
  )
  app.on(
    StockGivenBack,
    { group },
    once(store, ({ orderNo, pieces }, tx) => note(tx, orderNo, `stock given back: ${pieces} pieces`)),
  )
}

function followMoney(app: ServiceHost, store: Store): void {
  app.on(
    PaymentSucceeded,
    { group },
    once(store, ({ orderNo, amountPence }, tx) => {
      const order = orderOf(tx, orderNo)
      if (!isUndecided(order)) return note(tx, orderNo, `payment of ${formatPence(amountPence)} came too late`)
      tx.put(orders, [orderNo], advanced(order, 'paid', `paid ${formatPence(amountPence)}`))
      return [say(OrderPaid, { orderNo, userId: order.userId, totalPence: order.totalPence })]
    }),
  )
  app.on(
    LatePaymentRefunded,
    { group },
    once(store, ({ orderNo, amountPence }, tx) => note(tx, orderNo, `${formatPence(amountPence)} paid back`)),
  )
  app.on(
    ReturnRefunded,
    { group },
    once(store, ({ returnNo, amountPence }, tx) => {
      const back = tx.get(returns, returnNo)
      if (back === undefined) throw new Error(`there is no return ${returnNo}`)
      tx.put(returns, [returnNo], { ...withHistory(back, `${formatPence(amountPence)} refunded`), state: 'refunded' })
    }),
  )
}

/** Nobody can pay while the shop is closed, so that the time begins anew when it opens. */
function cancelUnpaid(unpaidMs: number) {
  const openedAtMs = Date.now()
  return ({ orderNo }: { readonly orderNo: string }, tx: Transaction) => {
    const { createdAtMs } = orderOf(tx, orderNo)
    const dueAtMs = Math.max(createdAtMs, openedAtMs) + unpaidMs
    if (Date.now() < dueAtMs) return [say(CancelUnpaid, { orderNo }, dueAtMs)]
    return cancel(tx, orderNo, { reason: 'unpaid', what: 'cancelled: not paid in time' })
  }
}

interface Cancelling {
  readonly reason: NonNullable<Order['cancelled']>
  /** For the order's history. */
  readonly what: string
}

/** Cancels an order that is neither paid nor cancelled; does nothing to another. */
function cancel(tx: Transaction, orderNo: string, { reason, what }: Cancelling) {
  const order = orderOf(tx, orderNo)
  if (!isUndecided(order)) return []
  tx.put(orders, [orderNo], { ...advanced(order, 'cancelled', what), cancelled: reason })
  return [say(OrderCancelled, { orderNo, reason })]
}

function note(tx: Transaction, orderNo: string, what: string): [] {
  tx.put(orders, [orderNo], withHistory(orderOf(tx, orderNo), what))
  return []
}
