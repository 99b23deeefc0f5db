import { type CallContext, type Client, PosthasteError, type ServeOptions, type ServiceHandlers } from 'posthaste'
import { Inventory, Orders } from '../contracts.ts'
import type { ServiceHost } from '../host.ts'
import type { Line } from '../money.ts'
import type { Store } from '../store/store.ts'
import { type AskInventory, carefully } from './asking.ts'
import { knownOrder, pricedLines, takeOrder, takeReturn } from './intake.ts'
import { orders, ordersOfUser, returns } from './order.ts'
import type { Outbox } from './outbox.ts'

/** What serving orders leans on. */
export interface OrderServiceOptions {
  readonly store: Store
  readonly outbox: Outbox
  /** Default: {@link carefully}. */
  readonly askInventory?: AskInventory | undefined
  readonly serving?: ServeOptions | undefined
}

/** Serves what customers and tills ask of orders. */
export function serveOrders(app: ServiceHost, { store, outbox, askInventory, serving }: OrderServiceOptions): void {
  const inventory = app.client(Inventory, askInventory ?? carefully)
  app.serve(Orders, orderHandlers({ store, outbox, inventory }), serving)
}

interface OrderDesk {
  readonly store: Store
  readonly outbox: Outbox
  readonly inventory: Client<(typeof Inventory)['methods']>
}

function orderHandlers({
  store,
  outbox,
  inventory,
}: OrderDesk): ServiceHandlers<(typeof Orders)['methods'], CallContext> {
  return {
    async createOrder(request, context) {
      const lines = pricedLines(request.lines)
      const known = request.orderNo === undefined ? undefined : store.get(orders, request.orderNo)
      if (knownOrder(known, request, lines) === undefined) {
        const stock = await inventory.checkStock({ items: lines }, { within: context })
        if (stock.short.length > 0) throw outOfStock(stock.short, lines)
        const note = stock.checked ? 'accepted' : 'accepted without a look at the stock'
        const { thing, repeated } = await takeOrder(store, { request, lines, note })
        outbox.kick()
        return { ...thing, repeated }
      }
      return { ...known!, repeated: true }
    },

    getOrder({ no }) {
      const order = store.get(orders, no)
      if (order === undefined) throw new PosthasteError('NOT_FOUND', `there is no order ${no}`)
      return { ...order, lines: [...order.lines], history: [...order.history] }
    },

    listOrders({ userId, limit, after }) {
      const user = String(userId)
      const query = { under: [user], after: after === undefined ? undefined : ([user, after] as const), limit }
      const found = [...store.list(ordersOfUser, query)].flatMap(([, no]) => store.get(orders, no) ?? [])
      return { orders: found, next: found.length === limit ? found.at(-1)?.orderNo : undefined }
    },

    async createReturn(request) {
      const { thing, repeated } = await takeReturn(store, request)
      outbox.kick()
      return { ...thing, repeated }
    },

    getReturn({ no }) {
      const back = store.get(returns, no)
      if (back === undefined) throw new PosthasteError('NOT_FOUND', `there is no return ${no}`)
      return { ...back, lines: [...back.lines], history: [...back.history] }
    },
  }
}

function outOfStock(short: readonly string[], lines: readonly Line[]): PosthasteError {
  const issues = lines.flatMap(({ productId }, at) =>
    short.includes(productId)
      ? [{ path: `lines.${at}.quantity`, message: `too few of '${productId}' are in stock` }]
      : [],
  )
  return new PosthasteError('CONFLICT', `out of stock: ${short.join(', ')}`, {
    remedy: 'Order fewer, or come back later.',
    issues,
  })
}
