import assert from 'node:assert/strict'
import type { OutgoingRecord, RecordFilter } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

const retention = { forMs: 30 * 86_400_000 }

const tagged = (tag: string): RecordFilter => ({ tags: [tag], accepts: ({ headers }) => headers.tag === tag })

const tag = (at: number) => ({ headers: { tag: at % 2 === 0 ? 'even' : 'odd' } })

const isEven = ({ headers }: OutgoingRecord) => headers.tag === 'even'

const isOdd = (record: OutgoingRecord) => !isEven(record)

async function toEarliest(context: CaseContext, channel: TestChannel): Promise<void> {
  await context.engine.seeking?.seek(channel.name, 'g', { to: 'earliest' })
}

/** What engines do beyond the core of the interface, two at a time. */
export const interplay: readonly ConformanceCase[] = [
  {
    id: 'interplay/seek-and-filter',
    title: 'what a filter refused comes after a seek to members with another filter, or none',
    needs: ['seeking', 'history', 'filter'],
    async run(context) {
      const channel = await context.channel({ retention })
      const sent = await channel.publish(...channel.records(20, tag))
      for (const [filter, expected] of [
        [tagged('even'), sent.filter(isEven)],
        [tagged('odd'), sent.filter(isOdd)],
        [undefined, sent],
      ] as const) {
        const member = await channel.join('g', { credit: 100, filter, handle: acknowledge })
        expectSameSet(await member.take(expected.length), expected)
        await context.lull()
        assert.deepEqual(member.waiting, [])
        await member.stop()
        await toEarliest(context, channel)
      }
    },
  },
  {
    id: 'interplay/seek-and-priorities',
    title: 'after a seek the highest priority comes first again',
    needs: ['seeking', 'history', 'priorities'],
    async run(context) {
      const channel = await context.channel({ retention, keyed: false, priorities: 2 })
      const sent = await channel.publish(...channel.records(20, (at) => ({ priority: at % 2 })))
      const [low, high] = [0, 1].map((level) => sent.filter(({ priority }) => priority === level))
      assert.ok(low && high)
      for (let round = 0; round < 2; round += 1) {
        const member = await channel.join('g', { credit: 100 })
        const received = await member.take(20)
        expectSame(received, [...high, ...low])
        await member.ackAll(received)
        await member.stop()
        await toEarliest(context, channel)
      }
    },
  },
  {
    id: 'interplay/seek-and-deduplication',
    title: 'a seek brings back what is known, and a repetition stays one',
    needs: ['seeking', 'history', 'deduplication'],
    async run(context) {
      const deduplicateForMs = Math.min(3_600_000, context.capabilities.deduplicateForMsMax)
      const channel = await context.channel({ retention, deduplicateForMs })
      const sent = await channel.publish(...channel.records(5))
      const before = await channel.join('g', { credit: 10, handle: acknowledge })
      await before.take(5)
      await before.stop()
      await toEarliest(context, channel)
      await channel.publish(...sent)
      const member = await channel.join('g', { credit: 10 })
      expectSameSet(await member.take(5), sent)
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'interplay/filter-and-priorities',
    title: 'of what a filter accepts the highest priority comes first',
    needs: ['filter', 'priorities'],
    async run(context) {
      const channel = await context.channel({ keyed: false, priorities: 2 })
      const sent = await channel.publish(...channel.records(40, (at) => ({ ...tag(at), priority: at % 4 < 2 ? 0 : 1 })))
      const member = await channel.join('g', { credit: 20, filter: tagged('odd') })
      const odd = sent.filter(isOdd)
      const [low, high] = [0, 1].map((level) => odd.filter(({ priority }) => priority === level))
      assert.ok(low && high)
      expectSame(await member.take(20), [...high, ...low])
    },
  },
  {
    id: 'interplay/prepared-and-priorities',
    title: 'a committed record takes its place by its priority',
    needs: ['preparing', 'priorities'],
    async run(context) {
      const channel = await context.channel({ keyed: false, priorities: 2 })
      const [prepared] = channel.records(1, { priority: 1 })
      assert.ok(prepared)
      await context.engine.preparing?.prepare(prepared, context.nowMs())
      const low = await channel.publish(...channel.records(2))
      await context.engine.preparing?.commit([prepared])
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(3), [prepared, ...low])
    },
  },
  {
    id: 'interplay/temporary-and-filter',
    title: 'a temporary group with a filter reads its share and goes, and leaves the others theirs',
    needs: ['temporaryGroups', 'filter'],
    async run(context) {
      const channel = await context.channel()
      const spec = { channel: channel.name, group: 'temporary', from: 'next', lifetime: 'temporary' } as const
      await context.declare([channel.spec], [spec])
      const visitor = await channel.join('temporary', { credit: 100, filter: tagged('even') })
      const sent = await channel.publish(...channel.records(20, tag))
      expectSameSet(await visitor.take(10), sent.filter(isEven))
      await visitor.stop()
      await expectRejection(() => channel.join('temporary'), 'NOT_FOUND')
      const member = await channel.join('g', { credit: 100 })
      expectSameSet(await member.take(20), sent)
    },
  },
  {
    id: 'interplay/temporary-and-hold',
    title: 'a key that a temporary group holds is held for that group alone, and free when that is gone',
    needs: ['temporaryGroups', 'holdKey', 'delay'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const spec = { channel: channel.name, group: 'temporary', from: 'next', lifetime: 'temporary' } as const
      for (let round = 0; round < 2; round += 1) {
        await context.declare([channel.spec], [spec])
        const visitor = await channel.join('temporary', { credit: 1 })
        const sent = await channel.publish(...channel.records(3, { key: 'k' }))
        const received = await visitor.next()
        expectSame([received], sent.slice(0, 1))
        const visibleAtMs = context.nowMs() + 20 * context.delayMs
        await visitor.release(received, { countsAttempt: true, visibleAtMs, holdKey: true })
        const member = await channel.join('g', { credit: 3, handle: acknowledge })
        expectSame(await member.take(3), sent)
        await member.stop()
        await visitor.stop()
      }
    },
  },
  {
    id: 'interplay/pattern-and-seek',
    title: 'a group that follows a pattern is moved in each of its channels by itself',
    needs: ['patterns', 'seeking', 'history'],
    async run(context) {
      const base = context.unique('shop')
      const channels = []
      for (const word of ['a', 'b']) {
        channels.push(await context.channel({ name: `${base}.${word}`, groups: [], retention }))
      }
      await context.engine.patterns?.declare({ pattern: `${base}.*`, group: 'g', from: 'next' })
      const [a, b] = channels
      assert.ok(a && b)
      const counts = new Map<TestChannel, number>()
      for (const channel of channels) await channel.publish(...channel.records(5))
      await toEarliest(context, a)
      await context.engine.seeking?.seek(b.name, 'g', { to: 'next' })
      for (const channel of channels) {
        const member = await channel.join('g', { credit: 100, handle: acknowledge })
        await context.lull()
        counts.set(channel, member.received.length)
      }
      assert.deepEqual([counts.get(a), counts.get(b)], [5, 0])
    },
  },
  {
    id: 'interplay/scheduled-and-deduplication',
    title: 'the id of a scheduled record is known over a restart, and so it comes once',
    needs: ['deduplication', 'delay'],
    async run(context) {
      const deduplicateForMs = Math.min(3_600_000, context.capabilities.deduplicateForMsMax)
      const channel = await context.channel({ deduplicateForMs })
      const dueAtMs = context.nowMs() + Math.min(context.delayMs, deduplicateForMs / 2)
      const [scheduled] = await channel.publish(channel.record({ dueAtMs }))
      assert.ok(scheduled)
      await context.restart()
      await channel.declare(['g'])
      await channel.publish(scheduled, { ...scheduled, dueAtMs: undefined })
      await context.reach(dueAtMs)
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [scheduled])
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
]
