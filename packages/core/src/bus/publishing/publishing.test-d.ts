import { command, event } from '@posthaste/contracts'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Bus } from '../bus.ts'

declare const bus: Bus

const Paid = event('shop.paid', { data: z.object({ n: z.coerce.number() }) })
const Price = command('shop.price', { data: z.object({ sku: z.string() }), reply: z.coerce.number() })
const Silent = command('shop.silent', { data: z.string() })

describe('publishing', () => {
  it('knows what a request answers, and which command answers none', () => {
    expectTypeOf(bus.request(Price, { sku: 'a' })).resolves.toEqualTypeOf<number>()
    // @ts-expect-error a command without a reply
    void bus.request(Silent, 'a')
    // @ts-expect-error a request begins now
    void bus.request(Price, { sku: 'a' }, { delayMs: 1 })
  })

  it('knows the data of what is prepared, on both sides of the schema', () => {
    void bus.prepare(Paid, { n: '7' }, { checkAfterMs: 1, headers: { tenant: 't' } })
    // @ts-expect-error what is prepared has no time of its own
    void bus.prepare(Paid, { n: 7 }, { delayMs: 1 })
    bus.onUnresolved(Paid, {}, ({ data }) => {
      expectTypeOf(data).toEqualTypeOf<{ n: number }>()
      return 'commit'
    })
    bus.onUnresolved(Paid, {}, async ({ data }) => (data.n > 1 ? 'commit' : 'unknown'))
    // @ts-expect-error there is no such decision
    bus.onUnresolved(Paid, {}, () => 'perhaps')
    expectTypeOf<Awaited<ReturnType<ReturnType<typeof bus.prepared<typeof Paid>>['list']>>[0]['data']>().toEqualTypeOf<
      { n: number } | undefined
    >()
  })

  it('knows what recurs', () => {
    bus.recur(Price, { name: 'prices', cron: '@daily', data: { sku: 'a' } })
    bus.recur(Paid, { name: 'paid', cron: '@daily', data: async (atMs) => ({ n: atMs }) })
    // @ts-expect-error data of another contract
    bus.recur(Price, { name: 'prices', cron: '@daily', data: { n: 1 } })
  })
})
