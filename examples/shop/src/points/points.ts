import { GoodsReturned, OrderPaid, PointsGranted } from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import type { Pence } from '../money.ts'
import { once, say } from '../store/inbox.ts'
import { type Store, type Transaction, table } from '../store/store.ts'

/** Points that were granted to a user, or withdrawn: then they are negative. */
export interface Booking {
  readonly userId: number
  readonly points: number
}

/** Bookings by order or return. */
export const bookings = table<Booking>('points.bookings')
/** Balances by user. One may be below zero: who returns goods owes the points they brought. */
export const accounts = table<number>('points.accounts')

const group = 'points'
const pencePerPoint = 100

/** A point for every whole pound. */
export function pointsFor(pence: Pence): number {
  return Math.floor(pence / pencePerPoint)
}

/** Points: granted for what is paid, withdrawn for what is returned. Guests have none. */
export function pointsService(app: ServiceHost, store: Store): void {
  app.on(
    OrderPaid,
    { group },
    once(store, ({ orderNo, userId, totalPence }, tx) => {
      const points = pointsFor(totalPence)
      return book(tx, orderNo, { userId, points }) ? [say(PointsGranted, { orderNo, points })] : []
    }),
  )
  app.on(
    GoodsReturned,
    { group },
    once(store, ({ returnNo, userId, totalPence }, tx) => {
      book(tx, returnNo, { userId, points: 0 - pointsFor(totalPence) })
    }),
  )
}

/** @returns whether there was anything to book */
function book(tx: Transaction, number: string, booking: { userId?: number | undefined; points: number }): boolean {
  const { userId, points } = booking
  if (userId === undefined || tx.get(bookings, number) !== undefined) return false
  tx.put(bookings, [number], { userId, points })
  tx.put(accounts, [String(userId)], (tx.get(accounts, String(userId)) ?? 0) + points)
  return true
}
