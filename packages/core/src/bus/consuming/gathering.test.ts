import { describe, expect, it } from 'vitest'
import { Ordered, scriptedRig } from '../../../test/bus/rig.ts'
import type { BatchSubscribeOptions } from './options.ts'

const patient = { group: 'points', prefetch: 3, batch: { max: 100, waitMs: 60_000 } }

async function batched(options: BatchSubscribeOptions) {
  const batches: number[][] = []
  const { bus, engine, clock } = scriptedRig()
  bus.onBatch(Ordered, options, (messages) => void batches.push(messages.map(({ data }) => data.n)))
  await bus.start()
  return { batches, clock, subscription: engine.subscription }
}

describe('a batch that waits for more', () => {
  it('begins when no more can come before something is settled', async () => {
    const { batches, clock, subscription } = await batched(patient)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'b', n: 2 })
    await clock.advance(1_000)
    expect(batches).toEqual([])
    subscription.deliver({ key: 'c', n: 3 })
    await clock.advance(0)
    expect(batches).toEqual([[1, 2, 3]])
  })

  it('begins, too, when all that could come waits for its key', async () => {
    const { batches, clock, subscription } = await batched(patient)
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 }, { key: 'a', n: 3 })
    await clock.advance(0)
    expect(batches).toEqual([[1]])
    subscription.deliver({ key: 'a', n: 4 })
    await clock.advance(0)
    expect(batches).toEqual([[1], [2]])
  })
})
