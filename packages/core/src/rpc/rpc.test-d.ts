import { type EventContract, event, service, stream } from '@posthaste/contracts'
import { expectTypeOf } from 'vitest'
import { z } from 'zod'
import type { ServeContext } from './context.ts'
import { createRpc } from './rpc.ts'

const Stock = service('shop.Stock', {
  check: { input: z.object({ id: z.coerce.number<string>() }), output: z.object({ at: z.coerce.date<string>() }) },
  ping: { input: z.undefined(), output: z.void() },
})
const Feed = service('shop.Feed', {
  follow: { input: z.undefined(), output: stream(z.object({ at: z.coerce.date<string>() })) },
  load: { input: stream(z.coerce.number<string>()), output: z.number() },
  both: { input: stream(z.coerce.number<string>()), output: stream(z.coerce.number<string>()) },
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

// Streams are iterated where they are the answer, and passed as anything that can be iterated.
const feed = rpc.client(Feed)
expectTypeOf(feed.follow()).toEqualTypeOf<AsyncIterable<{ at: Date }>>()
expectTypeOf(feed.load(['1'])).resolves.toBeNumber()
expectTypeOf(feed.load(feed.both(['1']) as unknown as AsyncIterable<string>)).resolves.toBeNumber()
expectTypeOf(feed.both(new Set(['1']), { timeoutMs: 5, attemptTimeoutMs: 5 })).toEqualTypeOf<AsyncIterable<number>>()

rpc.serve(Feed, {
  async *follow() {
    yield { at: '2026-01-01' }
  },
  async load(items) {
    expectTypeOf(items).toEqualTypeOf<AsyncIterable<number>>()
    return 5
  },
  both: async (items) => {
    for await (const item of items) expectTypeOf(item).toBeNumber()
    return ['1']
  },
})

// @ts-expect-error an item that does not fit
feed.load([1])

// @ts-expect-error items of a handler that do not fit
rpc.serve(Feed, { follow: () => [{ at: 5 }], load: () => 5, both: () => [] })

// @ts-expect-error a call with a stream is not hedged
feed.follow(undefined, { hedge: false })

// @ts-expect-error nothing stands for a stream
rpc.client(Feed, { fallback: { follow: () => [] } })

// Handlers are given what the context maker makes.
createRpc({ context: () => ({ tenant: 't' }) }).serve(Stock, {
  check(_, ctx) {
    expectTypeOf(ctx).toEqualTypeOf<{ tenant: string }>()
    return { at: '2026-01-01' }
  },
  ping() {},
})
