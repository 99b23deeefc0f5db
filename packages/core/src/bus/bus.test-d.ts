import { command, event } from '@posthaste/contracts'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Bus } from './bus.ts'
import type { MessageContext, Receipt } from './consuming/context.ts'

const Created = event('shop.created', {
  data: z.object({ no: z.string().transform(Number) }),
  key: ({ no }) => String(no),
})
const Deduct = command('shop.deduct', { data: z.object({ n: z.number() }) })
declare const bus: Bus

describe('the types of a bus', () => {
  it('give a handler the output of the schema, and take its input to publish', () => {
    bus.on(Created, { group: 'g' }, (data, context) => {
      expectTypeOf(data).toEqualTypeOf<{ no: number }>()
      expectTypeOf(context).toEqualTypeOf<MessageContext>()
      expectTypeOf(context.publish(Created, { no: '1' })).toEqualTypeOf<Promise<Receipt>>()
      // @ts-expect-error the data is the schema's input
      void context.publish(Created, { no: 1 })
    })
    bus.handle(Deduct, async ({ n }) => n)
    bus.handle(Deduct, { concurrency: 1 }, async ({ n }) => n)
    expectTypeOf(bus.publish(Created, { no: '1' })).toEqualTypeOf<Promise<Receipt>>()
  })

  it('keep events and commands apart', () => {
    // @ts-expect-error a command is sent
    void bus.publish(Deduct, { n: 1 })
    // @ts-expect-error an event is published
    void bus.send(Created, { no: '1' })
    // @ts-expect-error an event's dead letters are those of a group
    bus.deadLetters(Created)
    bus.deadLetters(Deduct)
    // @ts-expect-error a schedule has one time
    void bus.schedule(Deduct, { n: 1 }, { atMs: 1, delayMs: 1 })
    // @ts-expect-error and needs one
    void bus.schedule(Deduct, { n: 1 }, {})
  })
})
