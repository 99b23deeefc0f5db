import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import { expectRefused, expectSame } from '../expect.ts'

/** Deliveries that take long. */
export const lease: readonly ConformanceCase[] = [
  {
    id: 'lease/extended',
    title: 'a delivery stays with its member however long that takes, as long as it says so where there are leases',
    async run(context) {
      const { leaseMs, unsettledMsMax } = context.capabilities
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 1 })
      const other = await channel.join('g', { credit: 10 })
      const sent = await channel.publish(channel.record({ key: 'k' }))
      const holder = () => [member, other].find(({ unsettled }) => unsettled.length > 0)
      await context.until(
        () => holder() !== undefined,
        () => 'the delivery',
      )
      const first = holder()
      assert.ok(first)
      const { tag } = await first.next()
      const beatMs = Math.min(leaseMs / 3, context.delayMs)
      for (let beat = 0; beat < Math.min(9, unsettledMsMax / beatMs - 1); beat += 1) {
        await context.reach(context.nowMs() + beatMs)
        await first.extend([tag])
      }
      await context.lull()
      assert.equal(member.received.length + other.received.length, 1)
      await first.settled({ kind: 'ack', tag })
      expectSame(first.received, sent)
    },
  },
  {
    id: 'lease/ends',
    title: 'a delivery nobody extends goes to somebody else when its lease ends, and stays where there are no leases',
    async run(context) {
      const { leaseMs } = context.capabilities
      // Where keys have an order by ranges, it is the range that somebody has, and not the delivery.
      const channel = await context.channel({ keyed: false })
      const slow = await channel.join('g', { credit: 1 })
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      const { tag } = await slow.next()
      const other = await channel.join('g', { credit: 1 })
      if (!Number.isFinite(leaseMs)) {
        await context.reach(context.nowMs() + context.delayMs)
        await context.lull()
        assert.deepEqual(other.received, [])
        await slow.settled({ kind: 'ack', tag })
        return
      }
      await context.reach(context.nowMs() + leaseMs)
      const again = await other.next()
      expectSame([again], [sent])
      assert.deepEqual(slow.unsettled, [], 'it was told that the delivery is lost')
      const [late] = await slow.settle([{ kind: 'ack', tag }])
      expectRefused(late, 'DELIVERY_LOST')
    },
  },
]
