import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectKeyOrder, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'
import { sharedKeys, sharedOut } from '../sharing.ts'

async function slowAmongCompeting(context: CaseContext): Promise<void> {
  const channel = await context.channel({ kind: 'queue', keyed: false })
  const slow = await channel.join('g', { credit: 1 })
  const fast = await channel.join('g', { credit: 10, handle: acknowledge })
  const sent = await channel.publish(...channel.records(200))
  await context.until(
    () => slow.received.length + fast.received.length === 200,
    () => `200 deliveries, got ${slow.received.length} and ${fast.received.length}`,
  )
  assert.ok(slow.received.length <= 1)
  expectSameSet([...slow.received, ...fast.received], sent)
}

/** A key range waits for its reader: the other ranges go on meanwhile, and this one as soon as its reader has left. */
async function slowReader(context: CaseContext): Promise<void> {
  const channel = await context.channel({ kind: 'queue', keyed: true })
  const slow = await channel.join('g')
  const fast = await channel.join('g', { credit: 10, handle: acknowledge })
  const all: OutgoingRecord[] = []
  const publish = async (count: number) => {
    const records = channel.records(count, (at) => ({ key: sharedKeys[at % sharedKeys.length] }))
    all.push(...(await channel.publish(...records)))
    return records
  }
  const received = () => [...slow.received, ...fast.received].sort((a, b) => a.order - b.order)
  const keysOfFast = await sharedOut(context, async () => {
    await publish(sharedKeys.length)
    while (received().length < all.length) {
      if (slow.credit === 0) slow.grant(1)
      await context.until(
        () => slow.credit === 0 || received().length === all.length,
        () => `${all.length} deliveries, got ${slow.received.length} and ${fast.received.length}`,
      )
      await slow.ackAll(slow.unsettled)
    }
    const last = new Set(all.slice(-sharedKeys.length).map(({ id }) => id))
    return new Set(fast.received.flatMap(({ record }) => (last.has(record.id) ? [record.key ?? ''] : [])))
  })
  const before = slow.received.length
  const sent = await publish(10 * sharedKeys.length)
  const seen = () => new Set(fast.received.map(({ record }) => record.id))
  const ofFast = sent.filter(({ key }) => keysOfFast.has(key ?? ''))
  await context.until(
    () => ofFast.every(({ id }) => seen().has(id)),
    () => `the ${ofFast.length} records of the other ranges`,
  )
  await context.lull()
  assert.ok(slow.received.length <= before + 1)
  await slow.ackAll(slow.unsettled)
  await slow.stop()
  await context.until(
    () => received().length >= all.length,
    () => `what the slow one has left, ${all.length - received().length} are missing`,
  )
  expectSameSet(received(), all)
  expectKeyOrder(received(), all)
}

/** Credit is the only brake there is. That it is never exceeded is checked in every case; here it is under load. */
export const credit: readonly ConformanceCase[] = [
  {
    id: 'credit/none',
    title: 'nothing is delivered without credit',
    async run(context) {
      const channel = await context.channel({ groups: ['g', 'other'] })
      const member = await channel.join('g')
      const other = await channel.join('other', { credit: 10 })
      const sent = await channel.publish(...channel.records(10))
      await other.take(10)
      await context.lull()
      assert.equal(member.received.length, 0)
      member.grant(10)
      expectSameSet(await member.take(10), sent)
    },
  },
  {
    id: 'credit/bound',
    title: 'no more is delivered than was granted, however it is granted',
    async run(context) {
      const channel = await context.channel({ groups: ['g', 'other'] })
      const member = await channel.join('g', { credit: 3 })
      const other = await channel.join('other', { credit: 50 })
      await channel.publish(...channel.records(25, (at) => ({ key: `k${at}` })))
      await channel.publish(...channel.records(25))
      await other.take(50)
      const first = await member.take(3)
      await context.lull()
      assert.equal(member.waiting.length, 0)
      member.grant(1)
      member.grant(2)
      await member.take(3)
      // Settling alone brings nothing: credit comes from grants.
      await member.ackAll(first)
      await context.lull()
      assert.equal(member.waiting.length, 0)
      assert.equal(member.credit, 0)
    },
  },
  {
    id: 'credit/released',
    title: 'a delivery that was given back costs credit like any other when it comes again',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 1 })
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      await member.release(await member.next(), { countsAttempt: true })
      await context.lull()
      assert.equal(member.waiting.length, 0)
      member.grant(1)
      assert.equal((await member.next()).record.id, sent.id)
    },
  },
  {
    id: 'credit/slow-member',
    title: 'a member without credit does not stop the others',
    async run(context) {
      if (!context.hasRanges({ keyed: false })) await slowAmongCompeting(context)
      if (context.hasRanges({ keyed: true })) await slowReader(context)
    },
  },
  {
    id: 'credit/no-starvation',
    title: 'what is published later does not overtake for ever',
    async run(context) {
      const channel = await context.channel()
      const early = await channel.publish(...channel.records(20, (at) => ({ key: `early${at}` })))
      const member = await channel.join('g', { credit: 1 })
      for (let count = 0; count < 200; count += 1) {
        await channel.publish(channel.record({ key: `late${count}` }))
        await member.ack(await member.next())
        member.grant(1)
      }
      const seen = new Set(member.received.map(({ record }) => record.id))
      assert.deepEqual(
        early.filter(({ id }) => !seen.has(id)),
        [],
        'the early ones had their turn',
      )
    },
  },
  {
    id: 'credit/backlog',
    title: 'a backlog much larger than the credit streams through in order',
    async run(context) {
      const channel = await context.channel()
      const count = context.scaled(3_000)
      const sent = channel.records(count, (at) => ({ key: `k${at % 5}` }))
      for (let at = 0; at < count; at += 250) await channel.publish(...sent.slice(at, at + 250))
      const member = await channel.join('g', { credit: 7, handle: acknowledge })
      const received = await member.take(count)
      expectSameSet(received, sent)
      if (channel.spec.keyed) expectKeyOrder(received, sent)
    },
  },
  {
    id: 'credit/backlog-kept',
    title: 'deliveries that stay unsettled do not keep the ones behind them from coming',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(300, (at) => ({ key: `k${at}` })))
      const member = await channel.join('g', { credit: 300 })
      const received = await member.take(300)
      expectSameSet(received, sent)
      await member.ackAll([...received].reverse())
      await context.restart()
      await channel.declare(['g'])
      const again = await channel.join('g', { credit: 300 })
      await context.lull()
      assert.equal(again.received.length, 0)
    },
  },
]
