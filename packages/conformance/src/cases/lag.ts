import assert from 'node:assert/strict'
import type { Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'

/** How far groups are behind. */
export const lag: readonly ConformanceCase[] = [
  {
    id: 'lag/figures',
    title: 'lag tells what is ready, of that what is in flight, for each group by itself',
    needs: ['lag'],
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      assert.deepEqual(await channel.lag('a'), { ready: 0, waiting: 0, inFlight: 0 })
      await channel.publish(...channel.records(10))
      assert.deepEqual(await channel.lag('a'), { ready: 10, waiting: 0, inFlight: 0 })
      const member = await channel.join('a', { credit: 4 })
      const received = await member.take(4)
      assert.deepEqual(await channel.lag('a'), { ready: 10, waiting: 0, inFlight: 4 })
      await member.ackAll(received.slice(0, 3))
      assert.deepEqual(await channel.lag('a'), { ready: 7, waiting: 0, inFlight: 1 })
      assert.deepEqual(await channel.lag('b'), { ready: 10, waiting: 0, inFlight: 0 })
      await context.restart()
      await channel.declare(['a', 'b'])
      assert.deepEqual(await channel.lag('a'), { ready: 7, waiting: 0, inFlight: 0 })
    },
  },
  {
    id: 'lag/waiting',
    title: 'lag tells delayed and held records apart from ready ones',
    needs: ['lag', 'delay', 'holdKey'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 3 })
      await channel.publish(...channel.records(3, { key: 'k' }))
      // Nothing here waits for the time to come, so on a slow machine it must not.
      const visibleAtMs = context.nowMs() + 20 * context.delayMs
      const received = await member.take(3)
      await member.settled(
        ...received.map(({ tag }, at): Settlement => {
          if (at > 0) return { kind: 'release', tag, countsAttempt: false }
          return { kind: 'release', tag, countsAttempt: true, visibleAtMs, holdKey: true }
        }),
      )
      assert.deepEqual(await channel.lag('g'), { ready: 0, waiting: 3, inFlight: 0 })
      await channel.publish(channel.record({ dueAtMs: visibleAtMs }), channel.record({ key: 'other' }))
      assert.deepEqual(await channel.lag('g'), { ready: 1, waiting: 4, inFlight: 0 })
    },
  },
  {
    id: 'lag/held-and-due',
    title: 'records behind one that is due again are ready, though its hold lasts',
    needs: ['lag', 'holdKey'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 1 })
      await channel.publish(...channel.records(3, { key: 'k' }))
      await member.release(await member.next(), { countsAttempt: true, holdKey: true })
      assert.deepEqual(await channel.lag('g'), { ready: 3, waiting: 0, inFlight: 0 })
      member.grant(1)
      await member.next()
      assert.deepEqual(await channel.lag('g'), { ready: 3, waiting: 0, inFlight: 1 })
    },
  },
]
