import { OrderCancelled, OrderCreated, OrderShipped, ReturnRefunded } from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import { formatPence } from '../money.ts'
import { once } from '../store/inbox.ts'
import { type Store, table } from '../store/store.ts'

/** What a customer was told; stands for a mail. */
export interface Notice {
  readonly text: string
}

/** Notices by order or return, and occasion. */
export const notices = table<Notice>('notification.notices')

const group = 'notification'

/** Notification: tells customers what happens. */
export function notificationService(app: ServiceHost, store: Store): void {
  app.on(
    OrderCreated,
    { group },
    once(store, ({ orderNo, totalPence }, tx) => {
      tx.put(notices, [orderNo, 'created'], { text: `We have your order over ${formatPence(totalPence)}.` })
    }),
  )
  app.on(
    OrderShipped,
    { group },
    once(store, ({ orderNo, trackingNo }, tx) => {
      tx.put(notices, [orderNo, 'shipped'], { text: `Your parcel ${trackingNo} is on its way.` })
    }),
  )
  app.on(
    OrderCancelled,
    { group },
    once(store, ({ orderNo, reason }, tx) => {
      tx.put(notices, [orderNo, 'cancelled'], { text: `Your order is cancelled: ${reason}.` })
    }),
  )
  app.on(
    ReturnRefunded,
    { group },
    once(store, ({ returnNo, amountPence }, tx) => {
      tx.put(notices, [returnNo, 'refunded'], { text: `We paid ${formatPence(amountPence)} back to you.` })
    }),
  )
}
