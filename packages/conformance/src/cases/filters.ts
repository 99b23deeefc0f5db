import assert from 'node:assert/strict'
import type { OutgoingRecord, RecordFilter } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectKeyOrder, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge, type Member } from '../member.ts'

/** The same choice in all the forms it can have. */
const wanted: Readonly<Record<string, RecordFilter>> = {
  tags: { tags: ['red', 'blue'], accepts: ({ headers }) => headers.tag === 'red' || headers.tag === 'blue' },
  'all headers': {
    headers: { match: 'all', values: { subject: 'yes', region: 'eu' } },
    accepts: ({ headers }) => headers.subject === 'yes' && headers.region === 'eu',
  },
  'any header': {
    headers: { match: 'any', values: { subject: 'yes', region: 'us' } },
    accepts: ({ headers }) => headers.subject === 'yes' || headers.region === 'us',
  },
  expression: {
    sql: "subject = 'yes' AND NOT EXISTS tag",
    accepts: ({ headers }) => headers.subject === 'yes' && headers.tag === undefined,
  },
  'everything together': {
    tags: ['red'],
    headers: { match: 'all', values: { subject: 'yes' } },
    sql: "region LIKE 'e%'",
    accepts: ({ headers }) => headers.tag === 'red' && headers.subject === 'yes' && /^e/.test(headers.region ?? ''),
  },
}

const mixedHeaders: readonly Readonly<Record<string, string>>[] = [
  { tag: 'red', subject: 'yes', region: 'eu' },
  { tag: 'blue', subject: 'no', region: 'us' },
  { tag: 'Red', subject: 'YES', region: 'EU' },
  { subject: 'yes', region: 'eu' },
  { subject: 'yes' },
  {},
]

/** Accepts what is tagged so. */
const tagged = (tag: string): RecordFilter => ({ tags: [tag], accepts: ({ headers }) => headers.tag === tag })

const isTagged = ({ headers }: OutgoingRecord) => headers.tag === 'yes'

const tag = (at: number) => ({ headers: { type: 'conformance', source: '/suite', tag: at % 3 === 0 ? 'yes' : 'no' } })

/** Deliveries that only some records become. */
export const filters: readonly ConformanceCase[] = [
  {
    id: 'filter/matching',
    title: 'a filter lets through what it accepts, by tags, headers and expressions, and nothing else',
    needs: ['filter'],
    async run(context) {
      for (const [what, filter] of Object.entries(wanted)) {
        const channel = await context.channel()
        const sent = await channel.publish(...channel.records(24, (at) => ({ headers: mixedHeaders[at % 6] ?? {} })))
        const expected = sent.filter(filter.accepts)
        const member = await channel.join('g', { credit: 100, filter })
        const received = await member.take(expected.length)
        expectSameSet(received, expected)
        assert.ok(
          received.every(({ attempt }) => attempt === 1),
          `${what}: passing over others counts no attempt`,
        )
        await context.lull()
        assert.deepEqual(member.waiting, [], what)
      }
    },
  },
  {
    id: 'filter/settled',
    title: 'what a filter refuses is settled for the group: it never comes again, to no member, after no restart',
    needs: ['filter'],
    async run(context) {
      const channel = await context.channel()
      const first = await channel.join('g', { credit: 100, filter: tagged('yes'), handle: acknowledge })
      const sent = await channel.publish(...channel.records(60, tag))
      await first.take(sent.filter(isTagged).length)
      await context.lull()
      await first.stop()
      const second = await channel.join('g', { credit: 100 })
      await context.lull()
      assert.deepEqual(second.waiting, [])
      await context.restart()
      await channel.declare(['g'])
      const third = await channel.join('g', { credit: 100 })
      await context.lull()
      assert.deepEqual(third.waiting, [])
      if (context.engine.lag === undefined) return
      assert.deepEqual(await channel.lag('g'), { ready: 0, waiting: 0, inFlight: 0 })
    },
  },
  {
    id: 'filter/credit',
    title: 'what a filter refuses costs no credit',
    needs: ['filter'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 2, filter: tagged('yes') })
      await channel.publish(...channel.records(200, () => tag(1)))
      const sent = await channel.publish(...channel.records(3, () => tag(0)))
      expectSame(await member.take(2), sent.slice(0, 2))
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await channel.publish(...channel.records(200, () => tag(1)))
      member.grant(1)
      expectSame(await member.take(1), sent.slice(2))
    },
  },
  {
    id: 'filter/other-groups',
    title: 'what one group filters out the others get',
    needs: ['filter'],
    async run(context) {
      const channel = await context.channel({ groups: ['some', 'all'] })
      const some = await channel.join('some', { credit: 100, filter: tagged('yes') })
      const all = await channel.join('all', { credit: 100 })
      const sent = await channel.publish(...channel.records(30, tag))
      expectSameSet(await some.take(10), sent.filter(isTagged))
      expectSameSet(await all.take(30), sent)
    },
  },
  {
    id: 'filter/shared',
    title: 'members with a filter share what it accepts, each record once and each key in order',
    needs: ['filter'],
    async run(context) {
      const channel = await context.channel()
      const options = { filter: tagged('yes'), handle: acknowledge }
      const members = await Promise.all(Array.from({ length: 5 }, () => channel.join('g', { credit: 7, ...options })))
      const sent = channel.records(600, (at) => ({ ...tag(at), key: `k${at % 7}` }))
      for (let at = 0; at < sent.length; at += 60) await channel.publish(...sent.slice(at, at + 60))
      const expected = sent.filter(isTagged)
      const received = () => members.flatMap((member: Member) => member.received).sort((a, b) => a.order - b.order)
      await context.until(
        () => received().length >= expected.length,
        () => `${expected.length} deliveries, got ${received().length}`,
      )
      await context.lull()
      expectSameSet(received(), expected)
      if (channel.spec.keyed) expectKeyOrder(received(), expected)
    },
  },
  {
    id: 'filter/hold',
    title: 'of a key that is held, what a filter accepts comes when the hold ends, and nothing else ever',
    needs: ['filter', 'holdKey', 'delay'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 100, filter: tagged('yes') })
      const sent = await channel.publish(...channel.records(7, (at) => ({ ...tag(at), key: 'k' })))
      const [first, fourth, seventh] = sent.filter(isTagged)
      assert.ok(first && fourth && seventh)
      const received = await member.take(3)
      const visibleAtMs = context.nowMs() + context.delayMs
      await member.settled(
        ...received.map(({ tag: delivery }, at) => {
          const back = { kind: 'release', tag: delivery, countsAttempt: at === 0 } as const
          return at === 0 ? { ...back, visibleAtMs, holdKey: true } : back
        }),
      )
      const [other] = await channel.publish(channel.record({ ...tag(0), key: 'other' }))
      assert.ok(other)
      await member.ack(await member.receive(other))
      await context.reach(visibleAtMs)
      const again = await member.receive(first)
      assert.equal(again.attempt, 2)
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await member.ack(again)
      expectSame(await member.take(2), [fourth, seventh])
    },
  },
  {
    id: 'filter/in-the-way',
    title: 'a record that a filter refuses is in nobody’s way, even if it had held its key',
    needs: ['filter', 'holdKey'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const before = await channel.join('g', { credit: 1 })
      const sent = await channel.publish(...channel.records(4, (at) => ({ ...tag(at + 1), key: 'k' })))
      await before.release(await before.next(), { countsAttempt: true, holdKey: true })
      await before.stop()
      const member = await channel.join('g', { credit: 10, filter: tagged('yes') })
      expectSame([await member.next()], sent.filter(isTagged))
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'filter/delayed',
    title: 'delayed and released records are filtered when their time has come',
    needs: ['filter', 'delay'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 100, filter: tagged('yes') })
      const dueAtMs = context.nowMs() + context.delayMs
      const sent = await channel.publish(...channel.records(6, (at) => ({ ...tag(at), dueAtMs })))
      const [now] = await channel.publish(channel.record(tag(0)))
      assert.ok(now)
      await member.release(await member.receive(now), { countsAttempt: true, visibleAtMs: dueAtMs })
      await context.reach(dueAtMs)
      expectSameSet(await member.take(3), [...sent.filter(isTagged), now])
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'filter/crash',
    title: 'a crash brings back what a filter accepted and nobody settled, and nothing of what it refuses',
    needs: ['filter', 'crash', 'attempts'],
    async run(context) {
      const channel = await context.channel()
      const before = await channel.join('g', { credit: 100, filter: tagged('yes') })
      const sent = await channel.publish(...channel.records(30, tag))
      const [done, ...rest] = await before.take(10)
      assert.ok(done)
      await before.ack(done)
      await context.crash()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 100, filter: tagged('yes'), handle: acknowledge })
      const received = await after.take(rest.length)
      expectSameSet(
        received,
        sent.filter((record) => isTagged(record) && record.id !== done.record.id),
      )
      assert.ok(received.every(({ attempt }) => attempt === 2))
      await context.lull()
      assert.deepEqual(after.waiting, [])
    },
  },
]
