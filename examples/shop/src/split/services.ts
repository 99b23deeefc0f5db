import { linkClient } from '@posthaste/link'
import type { ServiceHost } from '../host.ts'
import { inventoryService } from '../inventory/inventory.ts'
import { logisticsService } from '../logistics/logistics.ts'
import { notificationService } from '../notification/notification.ts'
import { type AskInventory, carefully } from '../orders/asking.ts'
import { handleOrders } from '../orders/handlers.ts'
import { simulatedGateway } from '../payment/gateway.ts'
import { paymentService } from '../payment/payment.ts'
import { pointsService } from '../points/points.ts'
import type { Store } from '../store/store.ts'
import type { Plan } from './plan.ts'

/** Services that handle messages. */
export const workers = ['orders', 'inventory', 'payment', 'points', 'logistics', 'notification'] as const

/** One of them. */
export type Worker = (typeof workers)[number]

/** What a service is put up in. */
export interface Surroundings {
  readonly host: ServiceHost
  /** Its own. */
  readonly store: Store
  readonly unpaidMs: number
}

/** Payments are settled in seconds here, as in the replay of one process. */
const paymentRetry = { immediate: 0, delayed: 4, baseMs: 50, maxMs: 400 } as const

/** Puts up the handlers of one service. */
export function putUp(name: Worker, { host, store, unpaidMs }: Surroundings): void {
  const put: Readonly<Record<Worker, () => void>> = {
    orders: () => handleOrders(host, store, unpaidMs),
    inventory: () => inventoryService(host, store),
    payment: () => paymentService(host, store, { gateway: simulatedGateway, handling: { retry: paymentRetry } }),
    points: () => pointsService(host, store),
    logistics: () => logisticsService(host, store),
    notification: () => notificationService(host, store),
  }
  put[name]()
}

/** Asks the inventory in its process as carefully as one that is next door. */
export function askOverLink({ links }: Plan): AskInventory {
  return { ...carefully, transport: linkClient(links.inventory) }
}
