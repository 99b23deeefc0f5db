import assert from 'node:assert/strict'
import type { SeekTarget } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext, ChannelWish } from '../context.ts'
import { expectKeyOrder, expectRejection, expectSame, expectSameSet } from '../expect.ts'
import type { Received } from '../witness.ts'

const dayMs = 86_400_000

/** A group of a channel. */
interface Place {
  readonly context: CaseContext
  readonly channel: { readonly name: string }
  readonly group?: string
}

async function seek({ context, channel, group = 'g' }: Place, target: SeekTarget): Promise<void> {
  const { seeking } = context.engine
  assert.ok(seeking, 'the case needs seeking')
  await context.within(seeking.seek(channel.name, group, target), 'seek')
}

/** A log that keeps everything, with ten records in two keys; in one where its positions are total only in a key range. */
async function kept(context: CaseContext, wish: ChannelWish = {}) {
  const channel = await context.channel({ retention: { forMs: 30 * dayMs }, ...wish })
  const keys = wish.keyed === false && context.hasRanges({ keyed: false }) ? 1 : 2
  const sent = await channel.publish(...channel.records(10, (at) => ({ key: `k${at % keys}` })))
  return { channel, sent }
}

/** Reads as many as come, acknowledges them and leaves. */
async function readAll({ context, channel, group = 'g' }: Place & { readonly channel: TestChannel }, count: number) {
  const member = await channel.join(group, { credit: 100 })
  const received = await member.take(count)
  await context.lull()
  assert.deepEqual(member.waiting, [], 'nothing else comes')
  await member.ackAll(received)
  await member.stop()
  return received
}

/**
 * What comes, and what may come, of what was received when a group begins at one of it. A position is one of its key range:
 * in the others the time decides at which its record was stored.
 */
function behind(target: Received, received: readonly Received[], hasRanges: boolean) {
  const { key } = target.record
  const isExact = ({ record }: Received) => !hasRanges || record.key === key
  const exact = received.filter(isExact)
  const others = received.filter((each) => !isExact(each))
  const ids = (deliveries: readonly Received[]) => new Set(deliveries.map(({ record }) => record.id))
  const later = others.filter(({ storedAtMs }) => storedAtMs > target.storedAtMs)
  return {
    must: ids([...exact.slice(exact.indexOf(target)), ...later]),
    may: ids(others.filter(({ storedAtMs }) => storedAtMs === target.storedAtMs)),
  }
}

const attemptsOf = (received: readonly Received[]) => [...new Set(received.map(({ attempt }) => attempt))]

/** Moving groups to another place of their log. */
export const seeking: readonly ConformanceCase[] = [
  {
    id: 'seek/earliest',
    title: 'from the earliest on everything that is kept comes again, in order, as often as it is asked for',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel, sent } = await kept(context)
      await readAll({ context, channel }, 10)
      for (let round = 0; round < 3; round += 1) {
        await seek({ context, channel }, { to: 'earliest' })
        const received = await readAll({ context, channel }, 10)
        expectSameSet(received, sent)
        if (channel.spec.keyed) expectKeyOrder(received, sent)
        assert.deepEqual(attemptsOf(received), [1])
      }
    },
  },
  {
    id: 'seek/next',
    title: 'from the next on nothing of before comes, settled or not',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel } = await kept(context)
      const member = await channel.join('g', { credit: 10 })
      const [first] = await member.take(10)
      assert.ok(first)
      await member.ack(first)
      await member.stop()
      await seek({ context, channel }, { to: 'next' })
      const next = await channel.publish(channel.record({ key: 'k0' }))
      expectSame(await readAll({ context, channel }, 1), next)
    },
  },
  {
    id: 'seek/position',
    title: 'a position that a delivery or a browsed record had is where the group begins, that record included',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel, sent } = await kept(context, { keyed: false })
      const received = await readAll({ context, channel }, 10)
      for (const at of [7, 2, 9, 0]) {
        await seek({ context, channel }, { position: received[at]?.position ?? '' })
        expectSameSet(await readAll({ context, channel }, 10 - at), sent.slice(at))
      }
      if (context.engine.browsing === undefined) return
      const browsed = await channel.browseAll()
      await seek({ context, channel }, { position: browsed[4]?.position ?? '' })
      expectSameSet(await readAll({ context, channel }, 6), sent.slice(4))
    },
  },
  {
    id: 'seek/time',
    title: 'a time begins with the first record stored then or later',
    needs: ['seeking', 'history'],
    async run(context) {
      const channel = await context.channel({ retention: { forMs: 30 * dayMs }, keyed: false })
      const early = await channel.publish(...channel.records(3))
      await context.reach(context.nowMs() + context.delayMs)
      const late = await channel.publish(...channel.records(3))
      const received = await readAll({ context, channel }, 6)
      const lateMs = received.find(({ record }) => record.id === late[0]?.id)?.storedAtMs
      assert.ok(lateMs)
      for (const [atMs, expected] of [
        [lateMs, late],
        [lateMs - context.delayMs / 2, late],
        [0, [...early, ...late]],
      ] as const) {
        await seek({ context, channel }, { atMs })
        expectSameSet(await readAll({ context, channel }, expected.length), expected)
      }
      await seek({ context, channel }, { atMs: context.nowMs() + dayMs })
      const next = await channel.publish(channel.record())
      expectSame(await readAll({ context, channel }, 1), next)
    },
  },
  {
    id: 'seek/settled-and-not',
    title: 'it does not matter what was settled, released or waited before: attempts begin at 1, nothing waits',
    needs: ['seeking', 'history', 'delay'],
    async run(context) {
      const { channel, sent } = await kept(context)
      const member = await channel.join('g', { credit: 10 })
      const received = await member.take(10)
      const visibleAtMs = context.nowMs() + 20 * context.delayMs
      for (const [at, delivery] of received.entries()) {
        if (at % 3 === 0) await member.ack(delivery)
        if (at % 3 === 1) await member.release(delivery, { countsAttempt: true, visibleAtMs })
      }
      await member.stop()
      await seek({ context, channel }, { to: 'earliest' })
      const again = await readAll({ context, channel }, 10)
      expectSameSet(again, sent)
      if (channel.spec.keyed) expectKeyOrder(again, sent)
      assert.deepEqual(attemptsOf(again), [1])
      if (context.engine.lag === undefined) return
      assert.deepEqual(await channel.lag('g'), { ready: 0, waiting: 0, inFlight: 0 })
    },
  },
  {
    id: 'seek/held',
    title: 'holds end with it, of records that come again and of records that never do',
    needs: ['seeking', 'history', 'delay', 'holdKey'],
    async run(context) {
      for (const target of ['earliest', 'next'] as const) {
        const channel = await context.channel({ retention: { forMs: 30 * dayMs }, keyed: true })
        const sent = await channel.publish(...channel.records(4, { key: 'k' }))
        const member = await channel.join('g', { credit: 1 })
        const visibleAtMs = context.nowMs() + 20 * context.delayMs
        await member.release(await member.next(), { countsAttempt: true, visibleAtMs, holdKey: true })
        await member.stop()
        await seek({ context, channel }, { to: target })
        const next = await channel.publish(channel.record({ key: 'k' }))
        const expected = target === 'earliest' ? [...sent, ...next] : next
        expectSame(await readAll({ context, channel }, expected.length), expected)
      }
    },
  },
  {
    id: 'seek/other-groups',
    title: 'the other groups stay where they are',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel, sent } = await kept(context, { groups: ['g', 'other'] })
      const other = await channel.join('other', { credit: 4 })
      const first = await other.take(4)
      await other.ackAll(first)
      await seek({ context, channel }, { to: 'next' })
      await seek({ context, channel }, { to: 'earliest' })
      other.grant(10)
      expectSameSet([...first, ...(await other.take(6))], sent)
      await context.lull()
      assert.deepEqual(other.waiting, [])
    },
  },
  {
    id: 'seek/addressed',
    title: 'what was addressed to the group alone stays, wherever the group goes',
    needs: ['seeking', 'history', 'groupAddress'],
    async run(context) {
      const { channel, sent } = await kept(context, { groups: ['g', 'other'] })
      const addressed = await channel.publish(channel.record({ key: 'k0', group: 'g' }))
      await channel.publish(channel.record({ key: 'k0', group: 'other' }))
      await seek({ context, channel }, { to: 'next' })
      expectSame(await readAll({ context, channel }, 1), addressed)
      await seek({ context, channel }, { to: 'earliest' })
      expectSameSet(await readAll({ context, channel }, 10), sent)
    },
  },
  {
    id: 'seek/scheduled',
    title: 'what is not due yet comes when it is, wherever the group goes',
    needs: ['seeking', 'history', 'delay'],
    async run(context) {
      const { channel } = await kept(context)
      const dueAtMs = context.nowMs() + context.delayMs
      const scheduled = await channel.publish(channel.record({ key: 'k0', dueAtMs }))
      await seek({ context, channel }, { to: 'next' })
      await context.reach(dueAtMs)
      expectSame(await readAll({ context, channel }, 1), scheduled)
    },
  },
  {
    id: 'seek/restart',
    title: 'where a group was moved to holds over a restart',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel, sent } = await kept(context, { keyed: false, groups: ['back', 'forth'] })
      const received = await readAll({ context, channel, group: 'back' }, 10)
      await seek({ context, channel, group: 'back' }, { position: received[6]?.position ?? '' })
      await seek({ context, channel, group: 'forth' }, { to: 'next' })
      await context.restart()
      await channel.declare(['back', 'forth'])
      expectSameSet(await readAll({ context, channel, group: 'back' }, 4), sent.slice(6))
      const next = await channel.publish(channel.record())
      expectSame(await readAll({ context, channel, group: 'forth' }, 1), next)
    },
  },
  {
    id: 'seek/crash',
    title: 'where a group was moved to holds over a crash, and no attempt of before is left',
    needs: ['seeking', 'history', 'crash'],
    async run(context) {
      const { channel, sent } = await kept(context, { keyed: false })
      const before = await channel.join('g', { credit: 10 })
      const received = await before.take(10)
      await before.ackAll(received.slice(0, 3))
      await before.stop()
      await seek({ context, channel }, { position: received[2]?.position ?? '' })
      await context.crash()
      await channel.declare(['g'])
      const again = await readAll({ context, channel }, 8)
      expectSameSet(again, sent.slice(2))
      assert.deepEqual(attemptsOf(again), [1])
    },
  },
  {
    id: 'seek/backlog',
    title: 'a group is moved within a backlog of thousands, settled here and there',
    needs: ['seeking', 'history'],
    async run(context) {
      const channel = await context.channel({ retention: { forMs: 30 * dayMs }, keyed: false })
      const count = context.scaled(3_000)
      const sent = channel.records(count, (at) => ({ key: `k${at % 7}` }))
      for (let at = 0; at < count; at += 300) await channel.publish(...sent.slice(at, at + 300))
      const member = await channel.join('g', { credit: count })
      const received = await member.take(count)
      await member.ackAll(received.filter((_, at) => at % 3 !== 0))
      await member.stop()
      const target = received[Math.floor(count / 2)]
      assert.ok(target)
      await seek({ context, channel }, { position: target.position })
      const { must, may } = behind(target, received, context.hasRanges(channel.spec))
      if (context.engine.lag !== undefined) {
        const { ready, ...rest } = await channel.lag('g')
        assert.ok(ready >= must.size && ready <= must.size + may.size, `${ready} are ready`)
        assert.deepEqual(rest, { waiting: 0, inFlight: 0 })
      }
      const again = await channel.join('g', { credit: count })
      await context.until(
        () => again.received.filter(({ record }) => must.has(record.id)).length >= must.size,
        () => `all of ${must.size} behind the position, saw ${again.received.length}`,
      )
      await context.lull()
      expectSameSet(
        again.received.filter(({ record }) => !may.has(record.id)),
        sent.filter(({ id }) => must.has(id)),
      )
    },
  },
  {
    id: 'seek/not-kept',
    title: 'a target that is not kept any more counts as the oldest that is',
    needs: ['seeking', 'history'],
    async run(context) {
      const channel = await context.channel({ retention: { forMs: context.delayMs }, keyed: false })
      const startMs = context.nowMs()
      await channel.publish(...channel.records(3))
      const old = await readAll({ context, channel }, 3)
      await context.reach(context.nowMs() + 2 * context.delayMs)
      const sent = await channel.publish(channel.record())
      for (const target of [{ position: old[0]?.position ?? '' }, { atMs: startMs }, { to: 'earliest' }] as const) {
        await seek({ context, channel }, target)
        const member = await channel.join('g', { credit: 10 })
        // An engine may keep more than it was asked to.
        expectSame([await member.receive(sent[0] ?? channel.record())], sent)
        await member.stop()
      }
    },
  },
  {
    id: 'seek/refused',
    title: 'a group that is not there, has members or is a queue’s, and a position of another engine, are refused',
    needs: ['seeking', 'history'],
    async run(context) {
      const { channel, sent } = await kept(context)
      const queue = await context.channel({ kind: 'queue' })
      const to = { to: 'earliest' } as const
      await expectRejection(() => seek({ context, channel, group: 'nobody' }, to), 'NOT_FOUND')
      await expectRejection(() => seek({ context, channel: queue }, to), 'FAILED_PRECONDITION')
      await expectRejection(() => seek({ context, channel }, { position: 'no position at all' }), 'INVALID_ARGUMENT')
      await expectRejection(() => seek({ context, channel }, { position: '' }), 'INVALID_ARGUMENT')
      const nowhere = { name: context.unique('nowhere') }
      await expectRejection(() => seek({ context, channel: nowhere }, to), 'NOT_FOUND')
      const member = await channel.join('g', { credit: 10 })
      await expectRejection(() => seek({ context, channel }, { to: 'next' }), 'CONFLICT')
      expectSameSet(await member.take(10), sent)
      await member.stop()
      await seek({ context, channel }, { to: 'next' })
      await readAll({ context, channel }, 0)
    },
  },
]
