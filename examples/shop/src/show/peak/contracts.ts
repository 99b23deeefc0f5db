import { service } from 'posthaste'
import { z } from 'zod'

/** A checkout that charges the customer before it answers. */
export const Checkout = service('shop.Checkout', {
  buy: {
    input: z.object({ orderNo: z.string(), totalPence: z.number().int() }),
    output: z.object({ paid: z.boolean() }),
    http: { route: 'POST /api/orders', status: 201 },
  },
})
