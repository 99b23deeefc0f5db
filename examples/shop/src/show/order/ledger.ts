import { type Store, table } from '../../store/store.ts'
import { pause } from '../load/volley.ts'
import type { Transfer } from './contracts.ts'

/** An account, and what went wrong with it. */
export interface Balance {
  readonly pence: number
  readonly booked: number
  readonly lastNo: number
  /** Transfers that were booked after a later one. */
  readonly inversions: number
  /** Bookings that left less than nothing, though every transfer was covered when it was made. */
  readonly overdrafts: number
}

/** Accounts by name. */
export const balances = table<Balance>('accounts.balances')

const opened: Balance = { pence: 0, booked: 0, lastNo: 0, inversions: 0, overdrafts: 0 }

/** How long the other bank takes to confirm a transfer: 1 to 9 ms, as its name and number say, so in every run alike. */
function confirmationMs({ account, no }: Transfer): number {
  return 1 + ((account.charCodeAt(account.length - 1) * 31 + no * 17) % 9)
}

/** Has a transfer confirmed, and books it. */
export async function book(store: Store, transfer: Transfer): Promise<void> {
  await pause(confirmationMs(transfer))
  const { account, no, pence } = transfer
  await store.transact((tx) => {
    const before = tx.get(balances, account) ?? opened
    const after = before.pence + pence
    tx.put(balances, [account], {
      pence: after,
      booked: before.booked + 1,
      lastNo: Math.max(before.lastNo, no),
      inversions: before.inversions + (no < before.lastNo ? 1 : 0),
      overdrafts: before.overdrafts + (after < 0 ? 1 : 0),
    })
  })
}
