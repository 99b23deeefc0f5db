import { type AckSettlement, event, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { gate, kinds, Noted, Ordered, scriptedRig } from '../../../test/bus/rig.ts'
import type { MessageContext } from './context.ts'

/** Checked in a while. */
const Slow = event('shop.slow', { data: z.string().refine(async (text) => text !== 'bad') })

async function handled(handler: (context: MessageContext) => unknown) {
  const rig = scriptedRig()
  rig.bus.on(Noted, { group: 'points', retry: { immediate: 0 } }, (_, context) => handler(context))
  await rig.bus.start()
  rig.engine.subscription.deliver({ n: 1 })
  await rig.clock.advance(0)
  return rig
}

const published = (settlement: unknown) => (settlement as AckSettlement).publish?.map(({ channel }) => channel)

describe('what turns out to be wrong only after it was published', () => {
  it('fails the attempt where the handler has not looked at it, also when that was long before its end', async () => {
    const end = gate()
    const { engine, clock } = await handled(async (context) => {
      void context.publish(Slow, 'bad')
      await end.promise
    })
    await clock.advance(1_000)
    end.open()
    await clock.advance(0)
    const [settlement] = engine.subscription.settlements as AckSettlement[]
    expect(settlement?.publish?.[0]?.headers.dlcode).toBe('PAYLOAD_INVALID')
  })

  it.each<[string, (receipt: Promise<unknown>) => unknown]>([
    ['awaits it', async (receipt) => await receipt],
    ['awaits it among others', (receipt) => Promise.all([receipt])],
  ])('is the handler’s to judge where it %s', async (_, look) => {
    const { engine } = await handled(async (context) => {
      try {
        await look(context.publish(Slow, 'bad'))
      } catch {
        await context.publish(Slow, 'good')
      }
    })
    expect(published(engine.subscription.settlements[0])).toEqual(['shop.slow'])
  })

  it('is the handler’s to judge where it deals with it without waiting', async () => {
    const { engine } = await handled((context) => {
      context.publish(Slow, 'bad').catch(() => {})
    })
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack'])
  })

  it('is the channel, too: the message is tried again, not given up', async () => {
    const end = gate()
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points', retry: { immediate: 0 } }, async (_, context) => {
      await context.publish(Ordered, { key: 'a', n: 1 })
      await end.promise
    })
    await bus.start()
    engine.beforeDeclare = () => Promise.reject(new PosthasteError('UNAVAILABLE', 'connection lost'))
    engine.subscription.deliver({ n: 1 })
    await clock.advance(1_000)
    end.open()
    await clock.advance(0)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 retry'])
  })
})
