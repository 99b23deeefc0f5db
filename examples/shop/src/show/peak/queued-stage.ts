import { steadyGateway } from '../../payment/gateway.ts'
import { openShop } from '../../shop.ts'
import { settled } from '../stage/settling.ts'
import { runStage, type Stage } from '../stage/stage.ts'
import { paymentMs, paymentsAtATime } from './capacity.ts'

/** The shop as it is: an order is taken at once, and paid when its turn comes. */
await runStage(async ({ dir }: { readonly dir: string }): Promise<Stage> => {
  const paidAtMs: number[] = []
  const steady = steadyGateway(paymentMs)
  const shop = await openShop({
    dir,
    unpaidMs: 600_000,
    paymentsAtATime,
    gateway: {
      ...steady,
      async charge(orderNo, amountPence, attempt) {
        await steady.charge(orderNo, amountPence, attempt)
        paidAtMs.push(Date.now())
      },
    },
  })
  return {
    url: shop.url,
    commands: { paidAtMs: () => paidAtMs, settle: () => settled(shop) },
    close: () => shop.close(),
  }
})
