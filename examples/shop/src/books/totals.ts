import { comebacks, count, piecesOf, reservations, shelves } from '../inventory/stock.ts'
import { shipments } from '../logistics/logistics.ts'
import type { Line, Pence } from '../money.ts'
import { notices } from '../notification/notification.ts'
import { orders, returns } from '../orders/order.ts'
import { outboxSize } from '../orders/outbox.ts'
import { isSettled, payments, refunds } from '../payment/payment.ts'
import { accounts, bookings, pointsFor } from '../points/points.ts'
import type { Table, Tables } from '../store/store.ts'
import type { DeadLetterCensus } from './dead-letters.ts'

/** Everything the shop's tables add up to, each service's from its own. */
export type Totals = ReturnType<typeof totalsOf>

/** Adds up. Reads the tables one after the other, so the sums agree only once the shop is quiet. */
export function totalsOf(store: Tables, { payments: letters, others }: DeadLetterCensus) {
  return {
    orders: orderTotals(store),
    returns: returnTotals(store),
    stock: stockTotals(store),
    payment: paymentTotals(store),
    points: pointTotals(store),
    parcels: rows(store, shipments).length,
    notices: rows(store, notices).length,
    deadLetters: { payments: givenUp(store, letters), others },
  }
}

/**
 * Orders whose payment was given up. A message that came twice may leave a dead letter of an order whose payment went
 * another way all the same: payment's own table has the last word.
 */
function givenUp(store: Tables, letters: DeadLetterCensus['payments']): number {
  const orderNos = new Set(letters.map(({ orderNo }) => orderNo))
  return [...orderNos].filter((orderNo) => !isSettled(store.get(payments, orderNo))).length
}

function orderTotals(store: Tables) {
  const all = rows(store, orders)
  const shipped = all.filter(({ state }) => state === 'shipped')
  const cancelled = all.filter(({ state }) => state === 'cancelled')
  return {
    in: all.length,
    pence: penceOf(all),
    shipped: shipped.length,
    shippedPence: penceOf(shipped),
    shippedPieces: shelvedPieces(shipped),
    shippedPoints: pointsOfUsers(shipped),
    cancelled: cancelled.length,
    cancelledPence: penceOf(cancelled),
    unpublished: outboxSize(store),
  }
}

function returnTotals(store: Tables) {
  const all = rows(store, returns)
  return {
    in: all.length,
    refunded: all.filter(({ state }) => state === 'refunded').length,
    pence: penceOf(all),
    pieces: shelvedPieces(all),
    points: pointsOfUsers(all),
  }
}

function stockTotals(store: Tables) {
  const shelved = rows(store, shelves)
  const reserved = rows(store, reservations)
  const givenBack = reserved.filter(({ state }) => state === 'given back')
  return {
    opening: sum(shelved, ({ opening }) => opening),
    onHand: sum(shelved, ({ onHand }) => onHand),
    deducted: sum(reserved, ({ pieces }) => count(pieces)),
    givenBack: sum(givenBack, ({ pieces }) => count(pieces)),
    returned: sum(rows(store, comebacks), count),
    refused: reserved.filter(({ state }) => state === 'refused').length,
    overtaken: reserved.filter(({ overtaken }) => overtaken).length,
  }
}

function paymentTotals(store: Tables) {
  const all = rows(store, payments)
  const late = all.filter(({ state }) => state === 'refunded')
  const captured = [...all.filter(({ state }) => state === 'captured'), ...late]
  return {
    captured: captured.length,
    capturedPence: sum(captured, ({ amountPence }) => amountPence),
    late: late.length,
    latePence: sum(late, ({ amountPence }) => amountPence),
    overtaken: all.filter(({ overtaken }) => overtaken).length,
    refundedPence: sum(rows(store, refunds), (pence) => pence),
  }
}

function pointTotals(store: Tables) {
  const booked = rows(store, bookings).map(({ points }) => points)
  return {
    granted: sum(booked, (points) => Math.max(0, points)),
    withdrawn: sum(booked, (points) => Math.max(0, -points)),
    balance: sum(rows(store, accounts), (points) => points),
  }
}

interface Sale {
  readonly userId?: number | undefined
  readonly lines: readonly Line[]
  readonly totalPence: Pence
}

function penceOf(sales: readonly Sale[]): Pence {
  return sum(sales, ({ totalPence }) => totalPence)
}

function shelvedPieces(sales: readonly Sale[]): number {
  return sum(sales, ({ lines }) => count(piecesOf(lines)))
}

function pointsOfUsers(sales: readonly Sale[]): number {
  return sum(sales, ({ userId, totalPence }) => (userId === undefined ? 0 : pointsFor(totalPence)))
}

function rows<Row>(store: Tables, table: Table<Row>): Row[] {
  return [...store.list(table)].map(([, row]) => row)
}

function sum<T>(all: readonly T[], of: (one: T) => number): number {
  return all.reduce((total, one) => total + of(one), 0)
}
