import type { App, CommandContract, DeadLetter, DeadLetterPage, EventContract } from 'posthaste'
import { messages, StockDeducted } from '../contracts.ts'
import { paymentGroup } from '../payment/payment.ts'

/** A payment that was given up. */
export interface PaymentLetter {
  readonly orderNo: string
  /** `HANDLER_REJECTED`: declined. `ATTEMPTS_EXHAUSTED`: the gateway never answered. */
  readonly code: string
  readonly reason: string
  readonly attempts: number
}

/** What could not be handled. */
export interface DeadLetterCensus {
  readonly payments: readonly PaymentLetter[]
  /** Dead letters of anybody else; there should be none. */
  readonly others: number
}

/** A group that handles messages of the shop. */
export interface ShopGroup {
  readonly channel: string
  readonly group: string
}

/**
 * Counts the dead letters of every group of the shop.
 * @param groups all there are. Default: those that this application has
 */
export async function deadLetterCensus(
  app: App,
  groups: readonly ShopGroup[] = app.describe().subscriptions,
): Promise<DeadLetterCensus> {
  const contracts = new Map(messages.map((contract) => [contract.type as string, contract]))
  const found: Promise<number>[] = []
  for (const { channel, group } of groups) {
    const contract = contracts.get(channel)
    if (contract === undefined || (channel === StockDeducted.type && group === paymentGroup)) continue
    found.push(browseAll(app, contract, group).then(({ length }) => length))
  }
  const payments = (await browseAll(app, StockDeducted, paymentGroup)).map(paymentLetter)
  const others = (await Promise.all(found)).reduce((sum, count) => sum + count, 0)
  return { payments, others }
}

async function browseAll(app: App, contract: EventContract | CommandContract, group: string): Promise<DeadLetter[]> {
  const letters = contract.kind === 'event' ? app.deadLetters(contract, { group }) : app.deadLetters(contract)
  const all: DeadLetter[] = []
  let page: DeadLetterPage = await letters.browse({ limit: 1_000 })
  all.push(...page.letters)
  while (page.next !== undefined) {
    page = await letters.browse({ limit: 1_000, after: page.next })
    all.push(...page.letters)
  }
  return all
}

/** The key of a message about an order is the order's number. */
function paymentLetter({ key = '', code, reason, attempts }: DeadLetter): PaymentLetter {
  return { orderNo: key, code, reason, attempts }
}
