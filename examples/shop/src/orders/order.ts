import type { Line, Pence } from '../money.ts'
import { type Reader, table } from '../store/store.ts'

/** What happened to an order or a return, for the customer to read. */
export interface Happening {
  /** RFC 3339. */
  readonly at: string
  readonly what: string
}

/** An order on its way: accepted → reserved → paid → shipped, or cancelled before it was paid. */
export type OrderState = 'accepted' | 'reserved' | 'paid' | 'shipped' | 'cancelled'

/** An order, as the order service knows it. */
export interface Order {
  readonly orderNo: string
  readonly userId?: number | undefined
  readonly lines: readonly Line[]
  readonly totalPence: Pence
  readonly createdAtMs: number
  readonly state: OrderState
  /** Why it was cancelled, where it was. */
  readonly cancelled?: 'unpaid' | 'out of stock' | undefined
  readonly history: readonly Happening[]
}

/** Goods that came back, as the order service knows them. */
export interface Return {
  readonly returnNo: string
  readonly userId?: number | undefined
  readonly lines: readonly Line[]
  readonly totalPence: Pence
  readonly state: 'accepted' | 'refunded'
  readonly history: readonly Happening[]
}

/** Orders by number. */
export const orders = table<Order>('orders.orders')
/** Order numbers by user and order number. */
export const ordersOfUser = table<string>('orders.of-user')
/** Returns by number. */
export const returns = table<Return>('orders.returns')
/** How many orders the shop has numbered, under `orders`. */
export const counters = table<number>('orders.counters')

/** The same thing with one more happening. */
export function withHistory<T extends { readonly history: readonly Happening[] }>(thing: T, what: string): T {
  return { ...thing, history: [...thing.history, { at: new Date().toISOString(), what }] }
}

const rank: Readonly<Record<OrderState, number>> = { accepted: 0, reserved: 1, paid: 2, shipped: 3, cancelled: 4 }

/**
 * The order in a later state; its state stays where it is if it is that far already, because the news of different
 * services may overtake each other.
 */
export function advanced(order: Order, to: OrderState, what: string): Order {
  const state = rank[to] > rank[order.state] ? to : order.state
  return withHistory({ ...order, state }, what)
}

/** Whether it may still go either way. */
export function isUndecided(order: Order): boolean {
  return order.state === 'accepted' || order.state === 'reserved'
}

/** An order that must be there, since a message is about it. */
export function orderOf(reader: Reader, orderNo: string): Order {
  const order = reader.get(orders, orderNo)
  if (order === undefined) throw new Error(`there is no order ${orderNo}`)
  return order
}
