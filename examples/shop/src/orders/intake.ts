import { isDeepStrictEqual } from 'node:util'
import { type Issue, PosthasteError } from 'posthaste'
import { productOf } from '../catalogue.ts'
import { GoodsReturned, type NewOrder, type NewReturn, OrderCreated } from '../contracts.ts'
import { type Line, totalOf } from '../money.ts'
import type { Store, Transaction } from '../store/store.ts'
import { counters, type Order, orders, ordersOfUser, type Return, returns, withHistory } from './order.ts'
import { Outbox } from './outbox.ts'

/** What became of a request, and whether it had been made before. */
export interface Taken<Thing> {
  readonly thing: Thing
  readonly repeated: boolean
}

/** An order that is to be taken. */
export interface Intake {
  readonly request: NewOrder
  /** The request's lines, with prices. */
  readonly lines: readonly Line[]
  /** Begins the order's history. */
  readonly note: string
}

/**
 * Writes an order and the event that tells of it, in one transaction. The same order again is the one that is there.
 * @throws CONFLICT when another order has its number
 */
export function takeOrder(store: Store, { request, lines, note }: Intake) {
  return store.transact((tx): Taken<Order> => {
    const known = knownOrder(tx.get(orders, request.orderNo ?? ''), request, lines)
    if (known !== undefined) return { thing: known, repeated: true }
    const { userId } = request
    const orderNo = request.orderNo ?? nextNumber(tx)
    const order = withHistory<Order>(
      { orderNo, userId, lines, totalPence: totalOf(lines), createdAtMs: Date.now(), state: 'accepted', history: [] },
      note,
    )
    tx.put(orders, [orderNo], order)
    if (userId !== undefined) tx.put(ordersOfUser, [String(userId), orderNo], orderNo)
    const { history, state, ...data } = order
    Outbox.put(tx, `order-${orderNo}`, { type: OrderCreated.type, data })
    return { thing: order, repeated: false }
  })
}

/**
 * Writes a return and the event that tells of it, in one transaction. The same return again is the one that is there.
 * @throws CONFLICT when another return has its number
 */
export function takeReturn(store: Store, { returnNo, userId, lines }: NewReturn) {
  return store.transact((tx): Taken<Return> => {
    const known = tx.get(returns, returnNo)
    if (known !== undefined) {
      if (!isSame(known, { userId, lines })) throw taken(returnNo)
      return { thing: known, repeated: true }
    }
    const totalPence = totalOf(lines)
    const back = withHistory<Return>(
      { returnNo, userId, lines, totalPence, state: 'accepted', history: [] },
      'goods came back',
    )
    tx.put(returns, [returnNo], back)
    Outbox.put(tx, `return-${returnNo}`, { type: GoodsReturned.type, data: { returnNo, userId, lines, totalPence } })
    return { thing: back, repeated: false }
  })
}

/**
 * The order that a request repeats, if there is one.
 * @throws CONFLICT when it is another order
 */
export function knownOrder(known: Order | undefined, { userId }: NewOrder, lines: readonly Line[]): Order | undefined {
  if (known !== undefined && !isSame(known, { userId, lines })) throw taken(known.orderNo)
  return known
}

/**
 * The lines of a request with prices.
 * @throws PAYLOAD_INVALID with an issue for every line whose product has none
 */
export function pricedLines(lines: NewOrder['lines']): Line[] {
  const issues: Issue[] = []
  const priced = lines.map(({ productId, quantity, unitPricePence }, at) => {
    const price = unitPricePence ?? productOf(productId)?.pricePence
    if (price === undefined) issues.push({ path: `lines.${at}.productId`, message: `'${productId}' is not for sale` })
    return { productId, quantity, unitPricePence: price ?? 0 }
  })
  if (issues.length > 0) throw new PosthasteError('PAYLOAD_INVALID', 'the order has unknown products', { issues })
  return priced
}

type Substance = Pick<Order, 'userId' | 'lines'>

function isSame(known: Substance, { userId, lines }: Substance): boolean {
  return known.userId === userId && isDeepStrictEqual(known.lines, lines)
}

function taken(number: string): PosthasteError {
  return new PosthasteError('CONFLICT', `number ${number} belongs to something else already`, {
    remedy: 'Use another number, or repeat the request as it was.',
  })
}

function nextNumber(tx: Transaction): string {
  const count = (tx.get(counters, 'orders') ?? 1_000) + 1
  tx.put(counters, ['orders'], count)
  return `S-${count}`
}
