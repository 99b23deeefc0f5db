import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { kinds, Noted, scriptedRig } from '../../../test/bus/rig.ts'

/** Can be awaited, and is no promise: `then` returns nothing, and calls back twice. */
function thenable(...ends: (() => void)[]) {
  return {
    // biome-ignore lint/suspicious/noThenProperty: what is tested
    then(resolve: () => void) {
      ends.push(resolve, resolve)
    },
    end: () => {
      for (const end of ends) end()
    },
  }
}

describe('a handler that returns something that can be awaited, and is no promise', () => {
  it('has its message acknowledged when that has ended, once', async () => {
    const query = thenable()
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, () => query)
    await bus.start()
    engine.subscription.deliver({ n: 1 })
    await clock.advance(1_000)
    expect(engine.subscription.settlements).toEqual([])
    query.end()
    await clock.advance(0)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack'])
  })

  it('has the messages of its batch acknowledged then, too', async () => {
    const query = thenable()
    const { bus, engine, clock } = scriptedRig()
    bus.onBatch(Noted, { group: 'points' }, () => query as never)
    await bus.start()
    engine.subscription.deliver({ n: 1 }, { n: 2 })
    await clock.advance(1_000)
    expect(engine.subscription.settlements).toEqual([])
    query.end()
    await clock.advance(0)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack', '2 ack'])
  })
})

describe('a batch of which all is lost that was worth another attempt', () => {
  it('is not handled any more', async () => {
    const sizes: number[] = []
    const { bus, engine, clock } = scriptedRig()
    bus.onBatch(Noted, { group: 'points', retry: { immediate: 1 } }, (messages) => {
      sizes.push(messages.length)
      return [undefined, new PosthasteError('UNAVAILABLE', 'not now')]
    })
    await bus.start()
    const [first, second] = engine.subscription.deliver({ n: 1 }, { n: 2 })
    await clock.advance(0)
    engine.subscription.sink.lost([second!], new PosthasteError('DELIVERY_LOST', 'rebalanced'))
    await clock.advance(1_000)
    expect(sizes).toEqual([2])
    expect(kinds(engine.subscription.settlements)).toEqual([`${first} ack`])
  })
})
