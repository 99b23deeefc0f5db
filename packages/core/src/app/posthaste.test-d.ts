import { command, event, events, service } from '@posthaste/contracts'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { MessageContext } from '../bus/consuming/context.ts'
import type { CallContext } from './call-context.ts'
import { posthaste } from './posthaste.ts'

const Created = event('shop.order.created', {
  data: z.object({ at: z.coerce.date<string>() }),
  key: (order) => order.at.toISOString(),
})
const Deduct = command('shop.stock.deduct', { data: z.object({ count: z.number().default(1) }) })
const Orders = service('shop.Orders', {
  create: { input: z.object({ count: z.coerce.number<string>() }), output: z.object({ id: z.string() }) },
})

const app = posthaste({ name: 'shop' })

// Handlers receive what schemas yield.
app.on(Created, { group: 'points' }, (order, ctx) => {
  expectTypeOf(order).toEqualTypeOf<{ at: Date }>()
  expectTypeOf(ctx).toEqualTypeOf<MessageContext>()
})
app.handle(Deduct, (deduct) => {
  expectTypeOf(deduct).toEqualTypeOf<{ count: number }>()
})
app.handle(Deduct, { concurrency: 1 }, async (deduct) => {
  expectTypeOf(deduct.count).toBeNumber()
})
app.serve(Orders, {
  async create(input, ctx) {
    expectTypeOf(input).toEqualTypeOf<{ count: number }>()
    expectTypeOf(ctx).toEqualTypeOf<CallContext>()
    await ctx.publish(Created, { at: '2026-01-01' })
    // @ts-expect-error commands are sent
    await ctx.publish(Deduct, { count: 1 })
    return { id: '1' }
  },
})

// Publishers and callers pass what schemas accept.
void app.publish(Created, { at: '2026-01-01' })
void app.send(Deduct, {})
void app.schedule(Created, { at: '2026-01-01' }, { delayMs: 5 })
expectTypeOf(app.client(Orders).create({ count: '5' })).resolves.toEqualTypeOf<{ id: string }>()

// @ts-expect-error a date is what comes out, not what goes in
void app.publish(Created, { at: new Date(0) })

// @ts-expect-error events are published, not sent
void app.send(Created, { at: '2026-01-01' })

// @ts-expect-error an event’s followers are a group
app.on(Created, {}, () => {})

// @ts-expect-error a schedule needs a time
void app.schedule(Created, { at: '2026-01-01' }, {})

// @ts-expect-error an answer that does not fit
app.serve(Orders, { create: () => ({ id: 5 }) })

// @ts-expect-error an application has a name
posthaste({})

// @ts-expect-error an option that does not exist
posthaste({ name: 'shop', port: 80 })

// A pattern brings what all of its events fit, and the context tells which it is.
app.on(events('shop.order.*', { data: Created.data }), { group: 'audit' }, (order, ctx) => {
  expectTypeOf(order).toEqualTypeOf<{ at: Date }>()
  expectTypeOf(ctx.type).toEqualTypeOf<string>()
})

// @ts-expect-error nobody publishes a pattern
void app.publish(events('shop.order.*', { data: Created.data }), { at: '2026-01-01' })

// What is looked at is what handlers would be given.
expectTypeOf((await app.browse(Created)).messages[0]?.data).toEqualTypeOf<{ at: Date } | undefined>()

// A command has one group, an event has many.
void app.group(Deduct).lag()
// @ts-expect-error which one
void app.group(Created).lag()
