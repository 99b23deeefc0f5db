import { filterSlot } from 'posthaste/pipeline'
import { steadyGateway } from '../../payment/gateway.ts'
import { openShop, type ShopOptions } from '../../shop.ts'
import { settled } from '../stage/settling.ts'
import { runStage, type Stage } from '../stage/stage.ts'
import { tap } from '../stage/tap.ts'
import { workerPool } from './worker-pool.ts'

/** What the stage is started with. */
export interface AvalancheStage {
  readonly dir: string
  /** Workers of the naive variant; without it, the shop as it is. */
  readonly workers?: number
}

/** One and the same shop, but for two things: how the inventory is asked, and what a request holds while it is at it. */
function naive(workers: ReturnType<typeof workerPool>): Partial<ShopOptions> {
  const pool = filterSlot(workers, 'outermost: a request holds its worker from its first byte to its last')
  return {
    // No timeout but the default of half a minute, no breaker, no bulkhead, no fallback.
    askInventory: {},
    serving: { stack: (stack) => stack.insertBefore('deadline', pool) },
  }
}

await runStage(async ({ dir, workers }: AvalancheStage): Promise<Stage> => {
  const stock = tap()
  const pool = workers === undefined ? undefined : workerPool(workers)
  const shop = await openShop({
    dir,
    gateway: steadyGateway(0),
    logLevel: 'error',
    inventory: { beforeCheck: () => stock.pass() },
    ...(pool && naive(pool)),
  })
  const recover = (): boolean => {
    const crowd = pool?.snapshot?.()
    stock.open()
    return crowd?.free === 0 && Number(crowd.waiting) > 0
  }
  return {
    url: shop.url,
    commands: { stall: () => stock.shut(), recover, settle: () => settled(shop) },
    close: () => shop.close(),
  }
})
