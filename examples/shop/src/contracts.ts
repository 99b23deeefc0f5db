import { command, event, service } from 'posthaste'
import { z } from 'zod'

/**
 * Everything the shop's services say to each other, in one file. Events and commands are keyed by the order or return they
 * are about, so that what happens to one is handled in order while others go on.
 */

const orderNo = z.string().regex(/^[A-Z]?-?\d{1,12}$/)
const userId = z.number().int().positive()
const pence = z.number().int().nonnegative()
const quantity = z.number().int().min(1).max(100_000)

const LineSchema = z.object({
  productId: z.string().min(1).max(40),
  quantity,
  unitPricePence: pence.positive().max(100_000_000),
})
const lines = z.array(LineSchema).min(1).max(2_000)

/** The key of every message about an order. */
const byOrder = { key: (about: { readonly orderNo: string }) => about.orderNo }
const byReturn = { key: (about: { readonly returnNo: string }) => about.returnNo }

// Events: what happened.

/** An order was accepted. */
export const OrderCreated = event('shop.order.created', {
  data: z.object({ orderNo, userId: userId.optional(), lines, totalPence: pence, createdAtMs: z.number() }),
  ...byOrder,
})
/** Inventory took every piece of an order off the shelf. */
export const StockDeducted = event('shop.stock.deducted', {
  data: z.object({ orderNo, totalPence: pence }),
  ...byOrder,
})
/** Inventory took nothing, because these products are short. */
export const StockRefused = event('shop.stock.refused', {
  data: z.object({ orderNo, short: z.array(z.string()) }),
  ...byOrder,
})
/** Inventory put back what a cancelled order had taken. */
export const StockGivenBack = event('shop.stock.given-back', {
  data: z.object({ orderNo, pieces: z.number() }),
  ...byOrder,
})
/** The customer's money has arrived. */
export const PaymentSucceeded = event('shop.payment.succeeded', {
  data: z.object({ orderNo, amountPence: pence }),
  ...byOrder,
})
/** The money arrived after the order had been cancelled, and went back. */
export const LatePaymentRefunded = event('shop.payment.late-refunded', {
  data: z.object({ orderNo, amountPence: pence }),
  ...byOrder,
})
/** The order's payment counts: it may be shipped. */
export const OrderPaid = event('shop.order.paid', {
  data: z.object({ orderNo, userId: userId.optional(), totalPence: pence }),
  ...byOrder,
})
/** The order is off. */
export const OrderCancelled = event('shop.order.cancelled', {
  data: z.object({ orderNo, reason: z.enum(['unpaid', 'out of stock']) }),
  ...byOrder,
})
/** The parcel is on its way. */
export const OrderShipped = event('shop.order.shipped', {
  data: z.object({ orderNo, trackingNo: z.string() }),
  ...byOrder,
})
/** The customer got points for an order. */
export const PointsGranted = event('shop.points.granted', {
  data: z.object({ orderNo, points: z.number().int() }),
  ...byOrder,
})
/** A customer sent goods back. */
export const GoodsReturned = event('shop.goods.returned', {
  data: z.object({ returnNo: orderNo, userId: userId.optional(), lines, totalPence: pence }),
  ...byReturn,
})
/** The money for returned goods went back to the customer. */
export const ReturnRefunded = event('shop.return.refunded', {
  data: z.object({ returnNo: orderNo, amountPence: pence }),
  ...byReturn,
})

// Commands: what is to be done.

/** Cancels the order, unless it was paid meanwhile. Scheduled when the order is created. */
export const CancelUnpaid = command('shop.order.cancel-unpaid', { data: z.object({ orderNo }), ...byOrder })

/** Every message contract of the shop. */
export const messages = [
  OrderCreated,
  StockDeducted,
  StockRefused,
  StockGivenBack,
  PaymentSucceeded,
  LatePaymentRefunded,
  OrderPaid,
  OrderCancelled,
  OrderShipped,
  PointsGranted,
  GoodsReturned,
  ReturnRefunded,
  CancelUnpaid,
] as const

// Services: what can be asked.

/** What customers and tills order. */
const NewOrder = z.strictObject({
  /** A till's own number, which makes a repeated request the same order. The shop numbers other orders itself. */
  orderNo: z
    .string()
    .regex(/^\d{1,12}$/, 'must be 1 to 12 digits')
    .optional(),
  /** Left out by guests, who get no points. */
  userId: userId.optional(),
  lines: z
    .array(
      z.strictObject({
        ...LineSchema.shape,
        /** What the till agreed on. Default: the price in the catalogue. */
        unitPricePence: LineSchema.shape.unitPricePence.optional(),
      }),
    )
    .min(1)
    .max(2_000),
})

const NewReturn = z.strictObject({
  /** The credit note's number: `C`, then digits. A repeated request is the same return. */
  returnNo: z.string().regex(/^C\d{1,12}$/, "must be 'C' and 1 to 12 digits"),
  userId: userId.optional(),
  lines,
})

const History = z.array(z.object({ at: z.string(), what: z.string() }))

const OrderView = z.object({
  orderNo: z.string(),
  userId: userId.optional(),
  state: z.enum(['accepted', 'reserved', 'paid', 'shipped', 'cancelled']),
  totalPence: pence,
  lines: z.array(LineSchema),
  history: History,
})

const ReturnView = z.object({
  returnNo: z.string(),
  userId: userId.optional(),
  state: z.enum(['accepted', 'refunded']),
  totalPence: pence,
  lines: z.array(LineSchema),
  history: History,
})

/** What is asked of orders. */
export const Orders = service('shop.Orders', {
  createOrder: {
    input: NewOrder,
    output: z.object({ orderNo: z.string(), state: z.string(), totalPence: pence, repeated: z.boolean() }),
    http: { route: 'POST /api/orders', status: 201 },
  },
  getOrder: {
    input: z.object({ no: z.string() }),
    output: OrderView,
    http: 'GET /api/orders/:no',
    idempotent: true,
  },
  listOrders: {
    input: z.strictObject({
      userId: z.coerce.number().int().positive(),
      limit: z.coerce.number().int().min(1).max(100).default(20),
      /** Continue after this order number. */
      after: z.string().optional(),
    }),
    output: z.object({
      orders: z.array(OrderView.pick({ orderNo: true, state: true, totalPence: true })),
      next: z.string().optional(),
    }),
    http: 'GET /api/orders',
    idempotent: true,
  },
  createReturn: {
    input: NewReturn,
    output: z.object({ returnNo: z.string(), state: z.string(), totalPence: pence, repeated: z.boolean() }),
    http: { route: 'POST /api/returns', status: 201 },
  },
  getReturn: {
    input: z.object({ no: z.string() }),
    output: ReturnView,
    http: 'GET /api/returns/:no',
    idempotent: true,
  },
})

/** What is asked of the inventory. */
export const Inventory = service('shop.Inventory', {
  checkStock: {
    input: z.object({ items: z.array(z.object({ productId: z.string(), quantity: z.number().int() })) }),
    /** `checked` is false where nobody could look. */
    output: z.object({ checked: z.boolean(), short: z.array(z.string()) }),
    idempotent: true,
  },
  stockOf: {
    input: z.object({ productId: z.string() }),
    output: z.object({ productId: z.string(), onHand: z.number().int() }),
    http: 'GET /api/stock/:productId',
    idempotent: true,
  },
})

/** What the people who run the shop ask. */
export const BackOffice = service('shop.BackOffice', {
  deadLetters: {
    input: z.strictObject({}),
    output: z.object({
      payments: z.array(z.object({ orderNo: z.string(), code: z.string(), reason: z.string(), attempts: z.number() })),
    }),
    http: 'GET /api/dead-letters',
    idempotent: true,
  },
  books: {
    input: z.strictObject({}),
    output: z.object({
      balanced: z.boolean(),
      equations: z.array(z.object({ what: z.string(), left: z.string(), right: z.string(), holds: z.boolean() })),
    }),
    http: 'GET /api/books',
    idempotent: true,
  },
})

/** What whoever orders sends. */
export type NewOrder = z.input<typeof NewOrder>
/** What whoever returns goods sends. */
export type NewReturn = z.input<typeof NewReturn>
/** An order was accepted. */
export type OrderCreated = z.output<(typeof OrderCreated)['data']>
/** A customer sent goods back. */
export type GoodsReturned = z.output<(typeof GoodsReturned)['data']>
