import { event } from 'posthaste'
import { z } from 'zod'

const transfer = z.object({
  account: z.string(),
  /** Its place among the transfers of its account, from 1. */
  no: z.number().int(),
  /** Negative where money leaves. */
  pence: z.number().int(),
})

/** Money came to an account or left it: whoever handles it may do so in any order. */
export const Transferred = event('shop.account.transferred', { data: transfer })

/** The same, but for one line: what happens to an account is handled in the order in which it happened. */
export const TransferredInOrder = event('shop.account.transferred-in-order', {
  data: transfer,
  key: ({ account }) => account,
})

/** A transfer. */
export type Transfer = z.output<typeof transfer>
