import { PosthasteError } from 'posthaste'
import { reservations } from '../../inventory/stock.ts'
import { orders } from '../../orders/order.ts'
import { steadyGateway } from '../../payment/gateway.ts'
import { openShop } from '../../shop.ts'
import { pause } from '../load/volley.ts'
import { settled } from '../stage/settling.ts'
import { runStage, type Stage } from '../stage/stage.ts'

/** What the stage is started with. */
export interface DecouplingStage {
  readonly dir: string
  /** Whether an order needs the inventory's answer. */
  readonly coupled: boolean
}

/** How the inventory caught up. */
export interface Recovery {
  /** Orders that waited when it came back. */
  readonly late: number
  /** Milliseconds until it had seen to all of them. */
  readonly tookMs: number
}

const lookMs = 20

await runStage(async ({ dir, coupled }: DecouplingStage): Promise<Stage> => {
  let isDown = false
  const beDown = (): void => {
    if (isDown) throw new PosthasteError('UNAVAILABLE', 'the inventory is down')
  }
  const shop = await openShop({
    dir,
    gateway: steadyGateway(0),
    logLevel: 'error',
    // Payments are not what this is about.
    unpaidMs: 600_000,
    inventory: { beforeCheck: beDown, beforeDeduct: beDown },
    ...(coupled && { askInventory: { timeoutMs: 300 } }),
  })
  /** Orders that the inventory has not seen to. */
  const waiting = (): string[] => {
    const all = [...shop.store.list(orders)].map(([[orderNo = '']]) => orderNo)
    return all.filter((orderNo) => shop.store.get(reservations, orderNo) === undefined)
  }
  return {
    url: shop.url,
    commands: {
      fail: () => {
        isDown = true
      },
      recover: async (): Promise<Recovery> => {
        const late = new Set(waiting())
        isDown = false
        const recoveredAtMs = performance.now()
        while (waiting().some((orderNo) => late.has(orderNo))) await pause(lookMs)
        return { late: late.size, tookMs: performance.now() - recoveredAtMs }
      },
      backlog: () => waiting().length,
      settle: () => settled(shop),
    },
    close: () => shop.close(),
  }
})
