import { type EventContract, event, service } from '@posthaste/contracts'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { ServeContext } from './context.ts'
import { createRpc } from './rpc.ts'

const Stock = service('shop.Stock', {
  check: { input: z.object({ id: z.coerce.number<string>() }), output: z.object({ at: z.coerce.date<string>() }) },
  ping: { input: z.undefined(), output: z.void() },
})

const rpc = createRpc()

// Callers pass what a schema accepts and receive what it yields; handlers the other way round.
const client = rpc.client(Stock, {
  fallback: {
    check(input, error) {
      expectTypeOf(input).toEqualTypeOf<{ id: string }>()
      expectTypeOf(error.code).toBeString()
      return { at: new Date(0) }
    },
  },
})
expectTypeOf(client.check).parameter(0).toEqualTypeOf<{ id: string }>()
expectTypeOf(client.check({ id: '1' })).resolves.toEqualTypeOf<{ at: Date }>()
expectTypeOf(client.ping()).resolves.toBeVoid()

rpc.serve(Stock, {
  check(input, ctx) {
    expectTypeOf(input).toEqualTypeOf<{ id: number }>()
    expectTypeOf(ctx).toEqualTypeOf<ServeContext>()
    return { at: '2026-01-01' }
  },
  ping() {},
})

// @ts-expect-error a method without a handler
rpc.serve(Stock, { ping() {} })

// @ts-expect-error an output that does not fit
rpc.serve(Stock, { check: () => ({ at: 5 }), ping() {} })

// @ts-expect-error an input that does not fit
void client.check({ id: 5 })

// @ts-expect-error a method that does not exist
rpc.client(Stock, { fallback: { chek: () => ({ at: new Date(0) }) } })

// @ts-expect-error an event is no service
rpc.client(event('shop.created', { data: z.string() }) satisfies EventContract)

// Handlers are given what the context maker makes.
createRpc({ context: () => ({ tenant: 't' }) }).serve(Stock, {
  check(_, ctx) {
    expectTypeOf(ctx).toEqualTypeOf<{ tenant: string }>()
    return { at: '2026-01-01' }
  },
  ping() {},
})
