import { type HandlerOptions, ignore, PosthasteError } from 'posthaste'
import { filterDeps } from 'posthaste/pipeline'
import { bulkhead } from 'posthaste/resilience'
import {
  GoodsReturned,
  LatePaymentRefunded,
  OrderCancelled,
  PaymentSucceeded,
  ReturnRefunded,
  StockDeducted,
} from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import type { Pence } from '../money.ts'
import { once, say } from '../store/inbox.ts'
import { type Store, type Transaction, table } from '../store/store.ts'
import type { Gateway } from './gateway.ts'

/** What became of an order's payment. */
export interface Payment {
  /** `void`: cancelled before any money came. `refunded`: it came, and went back since the order was cancelled. */
  readonly state: 'captured' | 'declined' | 'void' | 'refunded'
  readonly amountPence: Pence
  /** Whether a payment that is void had been declined: its dead letter may still be redriven. */
  readonly declined?: true
  /** Whether the payment was to be tried, for the first time or again, when the order was cancelled already. */
  readonly overtaken?: true
}

/** Payments by order. */
export const payments = table<Payment>('payment.payments')
/** Money paid back for returned goods, by return. */
export const refunds = table<Pence>('payment.refunds')
/** Who follows the stock to take money: its dead letters are payments that failed. */
export const paymentGroup = 'payment'

/** Whether it is known what became of the money, so that a dead letter of it says nothing more. */
export function isSettled(payment: Payment | undefined): boolean {
  return isCharged(payment) || payment?.overtaken === true
}

/** What payment works with. */
export interface PaymentOptions {
  readonly gateway: Gateway
  /** How payments are handled: what follows a failure, how many at a time. */
  readonly handling?: HandlerOptions | undefined
}

/** What the gateway's operator allows us: so many lines, */
const gatewayLines = { concurrency: 24, queue: 8 } as const
/** and so many charges a second, of which a few may come at once. */
const chargeRate = { rate: 1_000, burst: 200 } as const
/** A gateway that fails at most payments is left alone; they wait in the queue, and lose no attempts. */
const patience = { openMs: 500, openMsMax: 5_000 } as const

/** Payment: takes the money once the goods are set aside, and pays it back when they are not sold after all. */
export function paymentService(app: ServiceHost, store: Store, { gateway, handling }: PaymentOptions): void {
  const group = paymentGroup
  // Whoever talks to the gateway shares its lines: a rush of refunds takes none from the payments that it has not.
  const lines = bulkhead(gatewayLines, filterDeps({ target: 'the gateway' }))
  const refundLate = async (orderNo: string): Promise<void> => {
    if (store.get(payments, orderNo)?.state === 'refunded') await gateway.refund(orderNo)
  }

  const charge = async ({ orderNo, totalPence }: Due, attempt: number): Promise<void> => {
    try {
      await gateway.charge(orderNo, totalPence, attempt)
    } catch (thrown) {
      if (PosthasteError.is(thrown, 'HANDLER_REJECTED')) await rememberRefusal(store, orderNo, totalPence)
      throw thrown
    }
  }

  const capture = once(store, captured)
  const policies = { rateLimit: chargeRate, bulkhead: lines, breaker: patience }
  app.on(StockDeducted, { ...policies, ...handling, group }, async (stock, context) => {
    const { orderNo } = stock
    if (await isOff(store, orderNo)) return ignore(`order ${orderNo} is cancelled`)
    // A message that comes again must not fail where the first one succeeded.
    if (!isCharged(store.get(payments, orderNo))) await charge(stock, context.attempt)
    await capture(stock, context)
    return refundLate(orderNo)
  })

  const cancel = once(store, cancelled)
  app.on(OrderCancelled, { group, bulkhead: lines }, async (order, context) => {
    await cancel(order, context)
    await refundLate(order.orderNo)
  })

  app.on(
    GoodsReturned,
    { group },
    once(store, ({ returnNo, totalPence: amountPence }, tx) => {
      tx.put(refunds, [returnNo], amountPence)
      return [say(ReturnRefunded, { returnNo, amountPence })]
    }),
  )
}

/** What an order's customer owes. */
interface Due {
  readonly orderNo: string
  readonly totalPence: Pence
}

/** The money came. Where the order was cancelled while the gateway was at it, it goes back. */
function captured({ orderNo, totalPence }: Due, tx: Transaction) {
  const payment = tx.get(payments, orderNo)
  if (isCharged(payment)) return []
  const isLate = payment?.state === 'void'
  tx.put(payments, [orderNo], { state: isLate ? 'refunded' : 'captured', amountPence: totalPence })
  return [say(isLate ? LatePaymentRefunded : PaymentSucceeded, { orderNo, amountPence: totalPence })]
}

/**
 * The order is off. Where the money came before the news of it, it goes back; where it was declined, nobody shall try
 * again.
 */
function cancelled({ orderNo }: { readonly orderNo: string }, tx: Transaction) {
  const payment = tx.get(payments, orderNo)
  if (payment === undefined) tx.put(payments, [orderNo], { state: 'void', amountPence: 0 })
  if (payment?.state === 'declined') tx.put(payments, [orderNo], { state: 'void', amountPence: 0, declined: true })
  if (payment?.state !== 'captured') return []
  tx.put(payments, [orderNo], { ...payment, state: 'refunded' })
  return [say(LatePaymentRefunded, { orderNo, amountPence: payment.amountPence })]
}

/** Whether the gateway took the money, even if it went back later. */
function isCharged(payment: Payment | undefined): boolean {
  return payment?.state === 'captured' || payment?.state === 'refunded'
}

/** Whether the order was cancelled before this attempt at its payment; remembers that there would have been one. */
function isOff(store: Store, orderNo: string): Promise<boolean> {
  return store.transact((tx) => {
    const payment = tx.get(payments, orderNo)
    if (payment?.state !== 'void') return false
    tx.put(payments, [orderNo], { ...payment, overtaken: true })
    return true
  })
}

/** So that payment's own books know of it, not only the dead letters. What is void stays so. */
function rememberRefusal(store: Store, orderNo: string, amountPence: Pence): Promise<void> {
  return store.transact((tx) => {
    const payment = tx.get(payments, orderNo)
    if (payment === undefined) tx.put(payments, [orderNo], { state: 'declined', amountPence })
    if (payment?.state === 'void') tx.put(payments, [orderNo], { ...payment, declined: true })
  })
}
