import { createHash } from 'node:crypto'
import { PosthasteError, reject } from 'posthaste'
import type { Pence } from '../money.ts'

/** Who moves the money. */
export interface Gateway {
  /**
   * Charges the customer of an order. The order's number is the key: charging it again charges nothing more.
   * @throws UNAVAILABLE where another attempt may help; HANDLER_REJECTED where the card is refused for good
   */
  charge(orderNo: string, amountPence: Pence, attempt: number): Promise<void>
  /** Gives the money of an order back, if it was charged. */
  refund(orderNo: string): Promise<void>
}

/** What fate holds for an order's payment. */
export type Fate = 'paid' | 'paid late' | 'never answered' | 'declined'

/**
 * Decides by the order's number alone, so that every run of the same orders ends the same: 88 % are paid, 8 % after one
 * to three failures, 2 % find a gateway that never answers, 2 % are declined.
 */
export function fateOf(orderNo: string): { readonly fate: Fate; readonly failures: number } {
  const draw = createHash('sha256').update(`payment of ${orderNo}`).digest().readUInt32BE(0)
  const percent = draw % 100
  if (percent < 88) return { fate: 'paid', failures: 0 }
  if (percent < 96) return { fate: 'paid late', failures: 1 + (draw % 3) }
  return percent < 98
    ? { fate: 'never answered', failures: Number.POSITIVE_INFINITY }
    : { fate: 'declined', failures: 0 }
}

/** A gateway that fails like a real one, but reproducibly. */
export const simulatedGateway: Gateway = {
  async charge(orderNo, _amountPence, attempt) {
    const { fate, failures } = fateOf(orderNo)
    if (fate === 'declined') throw reject(`the card for order ${orderNo} is declined`)
    if (attempt <= failures) {
      throw new PosthasteError('UNAVAILABLE', `the payment gateway did not answer for order ${orderNo}`)
    }
  },
  async refund() {},
}

/** A gateway that takes every payment, and this long for it. */
export function steadyGateway(tookMs: number): Gateway {
  return {
    charge: () => new Promise((resolve) => setTimeout(resolve, tookMs)),
    async refund() {},
  }
}
