import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext, ChannelWish } from '../context.ts'
import { expectRefused, expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

const levelOf = ({ priority = 0 }: OutgoingRecord) => priority

/** Higher levels first, each in the order it was sent; levels above the channel's count as its highest. */
function byPriority(sent: readonly OutgoingRecord[], levels: number): readonly OutgoingRecord[] {
  const level = (record: OutgoingRecord) => Math.min(levelOf(record), levels - 1)
  return [...sent].sort((a, b) => level(b) - level(a))
}

/** A channel with priorities: as many levels as the engine has, but at most ten. */
async function prioritised(context: CaseContext, wish: ChannelWish = {}) {
  const levels = Math.min(context.capabilities.priorityLevels, 10)
  const channel = await context.channel({ keyed: false, priorities: levels, ...wish })
  return { channel, levels }
}

/** What goes first. */
export const priorities: readonly ConformanceCase[] = [
  {
    id: 'priority/first',
    title: 'of what stands in a channel the highest priority is handed over first, one level in its order',
    needs: ['priorities'],
    async run(context) {
      for (const kind of ['log', 'queue'] as const) {
        const { channel, levels } = await prioritised(context, { kind })
        const sent = await channel.publish(...channel.records(100, (at) => ({ priority: (at * 7) % levels })))
        const member = await channel.join('g', { credit: 100 })
        expectSame(await member.take(100), byPriority(sent, levels))
      }
    },
  },
  {
    id: 'priority/overtakes',
    title: 'a record of higher priority overtakes what has stood there for long, with the next credit',
    needs: ['priorities'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const low = await channel.publish(...channel.records(300))
      const member = await channel.join('g', { credit: 1 })
      const seen = [await member.next()]
      for (let priority = 1; priority < levels; priority += 1) {
        const [urgent] = await channel.publish(channel.record({ priority }))
        assert.ok(urgent)
        await member.ack(seen.at(-1) ?? (await member.next()))
        member.grant(1)
        const next = await member.next()
        expectSame([next], [urgent])
        seen.push(next)
      }
      member.grant(1)
      expectSame([await member.next()], low.slice(1, 2))
    },
  },
  {
    id: 'priority/none',
    title: 'a record without a priority has the lowest, and one above the channel’s has the highest',
    needs: ['priorities'],
    async run(context) {
      const channel = await context.channel({ keyed: false, priorities: 2 })
      const wishes = [undefined, 0, 1, 7, undefined, 1, 1_000_000]
      const sent = await channel.publish(...wishes.map((priority) => channel.record({ priority })))
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(7), byPriority(sent, 2))
      const plain = await context.channel({ keyed: false })
      const same = await plain.publish(...wishes.map((priority) => plain.record({ priority })))
      expectSame(await (await plain.join('g', { credit: 10 })).take(7), same)
    },
  },
  {
    id: 'priority/keys',
    title: 'keys mean nothing in a channel with priorities',
    needs: ['priorities'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const sent = await channel.publish(...channel.records(60, (at) => ({ key: `k${at % 4}`, priority: at % levels })))
      const member = await channel.join('g', { credit: 60 })
      expectSame(await member.take(60), byPriority(sent, levels))
    },
  },
  {
    id: 'priority/released',
    title: 'what is given back takes its place by priority again, with its attempt',
    needs: ['priorities'],
    async run(context) {
      const { channel } = await prioritised(context)
      const [low, high] = await channel.publish(channel.record(), channel.record({ priority: 1 }))
      assert.ok(low && high)
      const member = await channel.join('g', { credit: 2 })
      const [first, second] = await member.take(2)
      assert.ok(first && second)
      expectSame([first, second], [high, low])
      await member.release(second)
      await member.release(first, { countsAttempt: true })
      member.grant(2)
      const again = await member.take(2)
      expectSame(again, [high, low])
      assert.deepEqual(
        again.map(({ attempt }) => attempt),
        [2, 1],
      )
    },
  },
  {
    id: 'priority/due',
    title: 'a delayed or released record takes its place by priority when its time has come',
    needs: ['priorities', 'delay'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const dueAtMs = context.nowMs() + context.delayMs
      const member = await channel.join('g', { credit: 1 })
      const [urgent] = await channel.publish(channel.record({ priority: levels - 1 }))
      assert.ok(urgent)
      await member.release(await member.next(), { countsAttempt: true, visibleAtMs: dueAtMs })
      const [low] = await channel.publish(channel.record())
      const [delayed] = await channel.publish(channel.record({ priority: 1, dueAtMs }))
      assert.ok(low && delayed)
      // How soon after its time a record takes its place is not judged; by then both have.
      await context.reach(dueAtMs + context.delayMs)
      member.grant(3)
      expectSame(await member.take(3), [urgent, delayed, low])
    },
  },
  {
    id: 'priority/restart',
    title: 'priorities hold over a restart, for what was released and what was in flight too',
    needs: ['priorities'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const sent = await channel.publish(...channel.records(40, (at) => ({ priority: at % levels })))
      const before = await channel.join('g', { credit: 10 })
      const [done, back] = await before.take(10)
      assert.ok(done && back)
      await before.ack(done)
      await before.release(back, { countsAttempt: true })
      await context.restart()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 100 })
      const left = sent.filter(({ id }) => id !== done.record.id)
      expectSame(await after.take(39), byPriority(left, levels))
    },
  },
  {
    id: 'priority/crash',
    title: 'priorities hold after a crash, for what nobody had in hand',
    needs: ['priorities', 'crash'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const sent = await channel.publish(...channel.records(40, (at) => ({ priority: at % levels })))
      const before = await channel.join('g', { credit: 4 })
      const inHand = new Set((await before.take(4)).map(({ record }) => record.id))
      await context.crash()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 100, handle: acknowledge })
      const received = await after.take(40)
      expectSameSet(received, sent)
      const untouched = ({ id }: OutgoingRecord) => !inHand.has(id)
      expectSame(
        received.filter(({ record }) => untouched(record)),
        byPriority(sent.filter(untouched), levels),
      )
    },
  },
  {
    id: 'priority/shared',
    title: 'members share what has priorities, each record once, and a record keeps its priority',
    needs: ['priorities'],
    async run(context) {
      const { channel, levels } = await prioritised(context)
      const sent = await channel.publish(...channel.records(400, (at) => ({ priority: at % levels })))
      const members = await Promise.all(
        Array.from({ length: 8 }, () => channel.join('g', { credit: 5, handle: acknowledge })),
      )
      const received = () => members.flatMap((member) => member.received)
      await context.until(
        () => received().length >= 400,
        () => `400 deliveries, got ${received().length}`,
      )
      await context.lull()
      expectSameSet(received(), sent)
      const levelById = new Map(sent.map((record) => [record.id, levelOf(record)]))
      for (const { record } of received()) assert.equal(levelOf(record), levelById.get(record.id), record.id)
    },
  },
  {
    id: 'priority/carried',
    title: 'what an acknowledgement publishes and what is addressed to a group go by their priorities as well',
    needs: ['priorities', 'groupAddress'],
    async run(context) {
      const { channel } = await prioritised(context)
      const work = await context.channel()
      await work.publish(work.record())
      const worker = await work.join('g', { credit: 1 })
      const [low] = await channel.publish(channel.record())
      assert.ok(low)
      const carried = channel.record({ priority: 1 })
      await worker.ack(await worker.next(), [carried])
      const [addressed] = await channel.publish(channel.record({ priority: 1, group: 'g' }))
      assert.ok(addressed)
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(3), [carried, addressed, low])
    },
  },
  {
    id: 'priority/refused',
    title: 'levels that are none, more than there are or of a keyed channel are refused, and so is a priority below 0',
    needs: ['priorities'],
    async run(context) {
      const declaring = (priorities: number, keyed: boolean) => () =>
        context.engine.declare({
          channels: [{ name: context.unique('channel'), kind: 'log', keyed, priorities }],
          groups: [],
        })
      for (const levels of [0, -1, 1.5, context.capabilities.priorityLevels + 1]) {
        await expectRejection(declaring(levels, false), 'CONFIG_INVALID')
      }
      if (context.capabilities.keyOrder !== 'none') await expectRejection(declaring(2, true), 'CONFIG_INVALID')
      const { channel } = await prioritised(context)
      const outcomes = await channel.tryPublish(channel.record({ priority: -1 }), channel.record({ priority: 0.5 }))
      for (const outcome of outcomes) expectRefused(outcome, 'INVALID_ARGUMENT')
      const drift = await context.engine.declare({ channels: [{ ...channel.spec, priorities: 1 }], groups: [] })
      assert.deepEqual(
        drift.drift.map(({ setting }) => setting),
        ['priorities'],
      )
    },
  },
]
