import assert from 'node:assert/strict'
import type { Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectKeyOrder, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge, type Member } from '../member.ts'
import type { Received } from '../witness.ts'

const byOrder = (members: readonly Member[]): readonly Received[] =>
  members.flatMap(({ received }) => received).sort((a, b) => a.order - b.order)

/** Same key, same order. That a key is with one member at a time is checked in every case. */
export const order: readonly ConformanceCase[] = [
  {
    id: 'order/per-key',
    title: 'records of one key come in the order they were published, in every group',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const a = await channel.join('a', { credit: 20, handle: acknowledge })
      const sent = channel.records(960, (at) => ({ key: `k${at % 16}` }))
      for (let at = 0; at < sent.length; at += 60) await channel.publish(...sent.slice(at, at + 60))
      const b = await channel.join('b', { credit: 100, handle: acknowledge })
      for (const member of [a, b]) {
        const received = await member.take(960)
        expectSameSet(received, sent)
        expectKeyOrder(received, sent)
      }
    },
  },
  {
    id: 'order/competing',
    title: 'records of one key come in order also where members compete',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const members = await Promise.all(
        Array.from({ length: 8 }, (_, at) => channel.join('g', { credit: at + 1, handle: acknowledge })),
      )
      const sent = channel.records(context.scaled(800), (at) => ({ key: `k${(at * 7) % 13}` }))
      await Promise.all(
        Array.from({ length: 8 }, (_, at) =>
          channel.publish(...sent.slice((at * sent.length) / 8, ((at + 1) * sent.length) / 8)),
        ),
      )
      await context.until(
        () => byOrder(members).length >= sent.length,
        () => `${sent.length} deliveries, got ${byOrder(members).length}`,
      )
      expectSameSet(byOrder(members), sent)
      expectKeyOrder(byOrder(members), sent)
    },
  },
  {
    id: 'order/key-stays',
    title: 'while a member has a record of a key, no other gets one of that key',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const members = [await channel.join('g', { credit: 4 }), await channel.join('g', { credit: 4 })]
      await channel.publish(...channel.records(3, { key: 'k' }))
      const received = () => byOrder(members)
      await context.until(
        () => received().length > 0,
        () => 'the first of the key',
      )
      await channel.publish(...channel.records(3, { key: 'k' }))
      await context.lull()
      assert.equal(new Set(received().map(({ member }) => member)).size, 1)
    },
  },
  {
    id: 'order/others-go-on',
    title: 'an unsettled record holds up no other key and no record without one',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 100 })
      await channel.publish(channel.record({ key: 'stuck' }))
      const stuck = await member.next()
      const sent = await channel.publish(...channel.records(20, (at) => (at % 2 === 0 ? { key: `k${at}` } : {})))
      const received = await member.take(20)
      expectSameSet(received, sent)
      await member.ackAll(received)
      await member.ack(stuck)
    },
  },
  {
    id: 'order/member-leaves',
    title: 'when a member leaves, its keys go on elsewhere from the first record it had not settled',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const first = await channel.join('g', { credit: 6 })
      const sent = await channel.publish(...channel.records(10, { key: 'k' }))
      const [one, two] = await first.take(6)
      assert.ok(one && two)
      await first.ackAll([one, two])
      const second = await channel.join('g', { credit: 20 })
      await first.stop()
      expectSame(await second.take(8), sent.slice(2))
    },
  },
  {
    id: 'order/released-together',
    title: 'a record that is given back with its successors comes again before them',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 5 })
      const sent = await channel.publish(...channel.records(5, { key: 'k' }))
      const received = await member.take(5)
      await member.settled(
        ...received.map(({ tag }, at): Settlement => ({ kind: 'release', tag, countsAttempt: at === 0 })),
      )
      member.grant(5)
      const again = await member.take(5)
      expectSame(again, sent)
      assert.deepEqual(
        again.map(({ attempt }) => attempt),
        [2, 1, 1, 1, 1],
      )
    },
  },
  {
    id: 'order/released-behind',
    title:
      'a record that is given back does not overtake an earlier one of its key that its member had when it left, or vanished',
    needs: ['keyOrder'],
    async run(context) {
      for (const ends of ['leaves', 'vanishes'] as const) {
        if (ends === 'vanishes' && context.underTest.crash === undefined) continue
        const channel = await context.channel()
        const member = await channel.join('g', { credit: 2 })
        const sent = await channel.publish(...channel.records(2, { key: 'k' }))
        const [, second] = await member.take(2)
        assert.ok(second)
        await member.release(second)
        if (ends === 'leaves') await member.stop()
        else await context.crash()
        await channel.declare(['g'])
        const other = await channel.join('g', { credit: 1 })
        const received = []
        for (let count = 0; count < 2; count += 1) {
          received.push(await other.next())
          await other.ackAll(received.slice(-1))
          other.grant(1)
        }
        expectSame(received, sent)
        await other.stop()
      }
    },
  },
  {
    id: 'order/over-restart',
    title: 'a key goes on in order after a restart, with what was in flight',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(10, { key: 'k' }))
      const before = await channel.join('g', { credit: 5 })
      const [one] = await before.take(5)
      assert.ok(one)
      await before.ack(one)
      await context.restart()
      await channel.declare(['g'])
      const more = await channel.publish(...channel.records(2, { key: 'k' }))
      const after = await channel.join('g', { credit: 20 })
      expectSame(await after.take(11), [...sent.slice(1), ...more])
    },
  },
]
