import { OrderPaid, OrderShipped } from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import { once, say } from '../store/inbox.ts'
import { type Store, table } from '../store/store.ts'

/** A parcel. */
export interface Shipment {
  readonly trackingNo: string
}

/** Parcels by order. */
export const shipments = table<Shipment>('logistics.shipments')

/** Logistics: sends what is paid. */
export function logisticsService(app: ServiceHost, store: Store): void {
  app.on(
    OrderPaid,
    { group: 'logistics' },
    once(store, ({ orderNo }, tx) => {
      if (tx.get(shipments, orderNo) !== undefined) return []
      const trackingNo = `PH-${orderNo}`
      tx.put(shipments, [orderNo], { trackingNo })
      return [say(OrderShipped, { orderNo, trackingNo })]
    }),
  )
}
