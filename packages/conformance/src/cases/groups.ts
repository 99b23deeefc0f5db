import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import { expectKeyOrder, expectRefused, expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

const dayMs = 86_400_000

/** Who sees what. */
export const groups: readonly ConformanceCase[] = [
  {
    id: 'groups/each-sees-all',
    title: 'every group sees every record of a log, whether or not it has members yet',
    async run(context) {
      const channel = await context.channel({ groups: ['points', 'mail', 'search'] })
      const points = await channel.join('points', { credit: 100, handle: acknowledge })
      const sent = await channel.publish(...channel.records(50))
      expectSameSet(await points.take(50), sent)
      for (const group of ['mail', 'search']) {
        const member = await channel.join(group, { credit: 100, handle: acknowledge })
        expectSameSet(await member.take(50), sent)
      }
    },
  },
  {
    id: 'groups/settled-for-one',
    title: 'what one group settles or gives back is settled and given back for that group only',
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const a = await channel.join('a', { credit: 10 })
      const b = await channel.join('b', { credit: 10 })
      const sent = await channel.publish(...channel.records(2, { key: 'k' }))
      const [first, second] = await a.take(2)
      assert.ok(first && second)
      await a.ack(first)
      await a.release(second, { countsAttempt: true })
      assert.equal((await a.next()).attempt, 2)
      const received = await b.take(2)
      expectSame(received, sent)
      assert.deepEqual(
        received.map(({ attempt }) => attempt),
        [1, 1],
      )
    },
  },
  {
    id: 'groups/share',
    title: 'the members of a group share its work, each record once',
    async run(context) {
      for (const kind of ['queue', 'log'] as const) {
        const channel = await context.channel({ kind })
        const members = await Promise.all(
          Array.from({ length: 10 }, () => channel.join('g', { credit: 7, handle: acknowledge })),
        )
        const sent = await channel.publish(
          ...channel.records(500, (at) => (at % 2 === 0 ? { key: `k${at % 12}` } : {})),
        )
        const received = () => members.flatMap((member) => member.received)
        await context.until(
          () => received().length >= 500,
          () => `500 deliveries, got ${received().length}`,
        )
        await context.lull()
        expectSameSet(received(), sent)
      }
    },
  },
  {
    id: 'groups/begin',
    title: 'a new group begins with all that is kept or with what comes next, as it is told',
    needs: ['history'],
    async run(context) {
      const channel = await context.channel({ groups: ['first'], retention: { forMs: dayMs } })
      const first = await channel.join('first', { credit: 100, handle: acknowledge })
      const before = await channel.publish(...channel.records(10))
      await first.take(10)
      await channel.declare(['all'], 'earliest')
      await channel.declare(['new'], 'next')
      const after = await channel.publish(...channel.records(5))
      const all = await channel.join('all', { credit: 100 })
      const fresh = await channel.join('new', { credit: 100 })
      expectSameSet(await all.take(15), [...before, ...after])
      expectSameSet(await fresh.take(5), after)
      await context.lull()
      assert.deepEqual([all.waiting.length, fresh.waiting.length], [0, 0])
    },
  },
  {
    id: 'groups/begin-over-restart',
    title: 'what is kept for later groups survives a restart',
    needs: ['history'],
    async run(context) {
      const channel = await context.channel({ groups: [], retention: { forMs: dayMs } })
      const sent = await channel.publish(...channel.records(10))
      await context.restart()
      await channel.declare(['late'], 'earliest')
      const late = await channel.join('late', { credit: 100 })
      expectSameSet(await late.take(10), sent)
    },
  },
  {
    id: 'groups/known-group-stays',
    title: 'declaring a group again leaves it where it is',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(10))
      const member = await channel.join('g', { credit: 5 })
      await member.ackAll(await member.take(5))
      for (const from of ['earliest', 'next'] as const)
        assert.deepEqual((await channel.declare(['g'], from)).created, [])
      member.grant(10)
      expectSameSet([...member.received.slice(0, 5), ...(await member.take(5))], sent)
      await context.lull()
      assert.equal(member.waiting.length, 0)
    },
  },
  {
    id: 'groups/queue-before-group',
    title: 'a queue keeps what was sent before its group existed',
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: [] })
      const sent = await channel.publish(...channel.records(10))
      await context.restart()
      await channel.declare(['g'], 'earliest')
      const member = await channel.join('g', { credit: 100 })
      expectSameSet(await member.take(10), sent)
    },
  },
  {
    id: 'groups/addressed',
    title: 'a record that is addressed to a group reaches that group and no other, after what stood there before',
    needs: ['groupAddress'],
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const [first] = await channel.publish(channel.record({ key: 'k' }))
      const [addressed] = await channel.publish(channel.record({ key: 'k', group: 'a' }))
      const [last] = await channel.publish(channel.record({ key: 'k' }))
      assert.ok(first && addressed && last)
      const a = await channel.join('a', { credit: 10 })
      const b = await channel.join('b', { credit: 10 })
      const seen = await a.take(3)
      expectSameSet(seen, [first, addressed, last])
      if (channel.spec.keyed) expectKeyOrder(seen, [first, addressed, last])
      expectSame(await b.take(2), [first, last])
      await context.lull()
      assert.equal(b.waiting.length, 0)
    },
  },
  {
    id: 'groups/addressed-is-no-history',
    title: 'a later group does not see what was addressed to another',
    needs: ['groupAddress', 'history'],
    async run(context) {
      const channel = await context.channel({ groups: ['a'], retention: { forMs: dayMs } })
      const [plain] = await channel.publish(channel.record(), channel.record({ group: 'a' }))
      assert.ok(plain)
      await channel.declare(['late'], 'earliest')
      const late = await channel.join('late', { credit: 10 })
      expectSame([await late.next()], [plain])
      await context.lull()
      assert.equal(late.waiting.length, 0)
    },
  },
  {
    id: 'groups/unknown',
    title: 'what names a group or channel that was not declared is refused with NOT_FOUND',
    async run(context) {
      const channel = await context.channel()
      await expectRejection(() => channel.join('nobody'), 'NOT_FOUND')
      if (context.capabilities.groupAddress === 'none') return
      const [good] = channel.records(1)
      assert.ok(good)
      const outcomes = await channel.tryPublish(channel.record({ group: 'nobody' }), good)
      expectRefused(outcomes[0], 'NOT_FOUND')
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [good])
    },
  },
]
