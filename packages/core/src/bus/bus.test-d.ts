import { command, event, reject } from '@posthaste/contracts'
import { describe, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import type { Bus } from './bus.ts'
import type { BatchContext, BatchMessage } from './consuming/batch-message.ts'
import type { MessageContext, Receipt } from './consuming/context.ts'

const Created = event('shop.created', {
  data: z.object({ no: z.string().transform(Number) }),
  key: ({ no }) => String(no),
})
const Deduct = command('shop.deduct', { data: z.object({ n: z.number() }) })
const Quote = command('shop.quote', {
  data: z.object({ n: z.number() }),
  reply: z.object({ price: z.number() }),
})
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

  it('have a handler answer a command that has a reply', () => {
    bus.handle(Quote, async ({ n }) => ({ price: n }))
    bus.handle(Quote, { concurrency: 1 }, () => reject('no price'))
    // @ts-expect-error the answer is the input of the reply's schema
    bus.handle(Quote, async ({ n }) => n)
    // @ts-expect-error and there has to be one
    bus.handle(Quote, () => {})
  })

  it('give a handler of batches messages with data and context, and take an outcome for each', () => {
    bus.onBatch(Created, { group: 'g', batch: { max: 10 } }, (messages, context) => {
      expectTypeOf(messages).toEqualTypeOf<readonly BatchMessage<{ no: number }>[]>()
      expectTypeOf(context).toEqualTypeOf<BatchContext>()
      return messages.map(({ data }) => (data.no > 0 ? undefined : reject('no number')))
    })
    bus.onBatch(Created, { group: 'g' }, async () => {})
    bus.handleBatch(Deduct, {}, () => {})
    // @ts-expect-error what the database answered is no outcome
    bus.handleBatch(Deduct, {}, async (messages) => messages.map(({ data }) => data.n))
    // @ts-expect-error an inbox remembers single messages
    bus.handleBatch(Deduct, { inbox: {} }, () => {})
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
