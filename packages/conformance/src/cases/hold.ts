import assert from 'node:assert/strict'
import type { OutgoingRecord, Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectSame } from '../expect.ts'
import type { Member } from '../member.ts'

/** A key whose first record was released with `holdKey`, until `visibleAtMs`, together with its successors. */
interface Held {
  readonly channel: TestChannel
  readonly member: Member
  readonly holding: OutgoingRecord
  readonly successors: readonly OutgoingRecord[]
  readonly visibleAtMs: number
}

async function held(context: CaseContext, groups: readonly string[] = ['g']): Promise<Held> {
  const channel = await context.channel({ groups, keyed: true })
  const member = await channel.join('g', { credit: 100 })
  const [holding, ...successors] = await channel.publish(...channel.records(3, { key: 'held' }))
  assert.ok(holding)
  const received = await member.take(3)
  const visibleAtMs = context.nowMs() + context.delayMs
  await member.settled(
    ...received.map(({ tag }, at): Settlement => {
      if (at > 0) return { kind: 'release', tag, countsAttempt: false }
      return { kind: 'release', tag, countsAttempt: true, visibleAtMs, holdKey: true }
    }),
  )
  return { channel, member, holding, successors, visibleAtMs }
}

/** Order over a retry: what comes later in the key waits until the record that failed is done. */
export const hold: readonly ConformanceCase[] = [
  {
    id: 'hold/own-key',
    title: 'a release that holds its key keeps later records of that key back, new ones too, and no others',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const { channel, member, holding, successors, visibleAtMs } = await held(context)
      const [late] = await channel.publish(channel.record({ key: 'held' }))
      const others = await channel.publish(channel.record({ key: 'other' }), channel.record())
      for (const other of others) await member.ack(await member.receive(other))
      await context.lull()
      // On a slow machine the time may have come already; then it is the only one that may have.
      assert.deepEqual(
        member.waiting.filter(({ record }) => record.id !== holding.id),
        [],
      )
      await context.reach(visibleAtMs)
      const again = await member.receive(holding)
      assert.equal(again.attempt, 2)
      await context.lull()
      assert.deepEqual(member.waiting, [], 'nothing comes while it is handled again')
      await member.ack(again)
      assert.ok(late)
      const rest = await member.take(3)
      expectSame(rest, [...successors, late])
      assert.deepEqual(
        rest.map(({ attempt }) => attempt),
        [1, 1, 1],
      )
    },
  },
  {
    id: 'hold/at-once',
    title: 'a release that holds its key and waits for nothing comes first again, alone',
    needs: ['holdKey'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 100 })
      const [first, ...rest] = await channel.publish(...channel.records(4, { key: 'k' }))
      assert.ok(first)
      const received = await member.take(4)
      await member.settled(
        ...received.map(
          ({ tag }, at): Settlement => ({ kind: 'release', tag, countsAttempt: false, holdKey: at === 0 }),
        ),
      )
      const again = await member.next()
      expectSame([again], [first])
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await member.ack(again)
      expectSame(await member.take(3), rest)
    },
  },
  {
    id: 'hold/restart',
    title: 'a held key is held over a restart, while it waits and when it has come again',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const { channel, holding, successors, visibleAtMs } = await held(context)
      await context.restart()
      await channel.declare(['g'])
      let member = await channel.join('g', { credit: 100 })
      await context.reach(visibleAtMs)
      await member.receive(holding)
      await context.restart()
      await channel.declare(['g'])
      member = await channel.join('g', { credit: 100 })
      const again = await member.next()
      expectSame([again], [holding])
      assert.equal(again.attempt, 2)
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await member.ack(again)
      expectSame(await member.take(2), successors)
    },
  },
  {
    id: 'hold/crash',
    title: 'a held key is held over a crash',
    needs: ['holdKey', 'delay', 'crash'],
    async run(context) {
      const { channel, holding, successors, visibleAtMs } = await held(context)
      await context.crash()
      await channel.declare(['g'])
      let member = await channel.join('g', { credit: 100 })
      await context.reach(visibleAtMs)
      await member.receive(holding)
      await context.crash()
      await channel.declare(['g'])
      member = await channel.join('g', { credit: 100 })
      const again = await member.next()
      expectSame([again], [holding])
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await member.ack(again)
      expectSame(await member.take(2), successors)
    },
  },
  {
    id: 'hold/hand-back',
    title: 'a hold lasts until the record is acknowledged, whatever releases come between',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const { channel, member, holding, successors, visibleAtMs } = await held(context)
      await context.reach(visibleAtMs)
      for (const countsAttempt of [false, true]) {
        await member.release(await member.next(), { countsAttempt })
      }
      await member.receive(holding)
      await member.stop()
      const other = await channel.join('g', { credit: 100 })
      const again = await other.next()
      expectSame([again], [holding])
      assert.equal(again.attempt, 3)
      await context.lull()
      assert.deepEqual(other.waiting, [])
      await other.ack(again)
      expectSame(await other.take(2), successors)
    },
  },
  {
    id: 'hold/other-member',
    title: 'a held key is held for every member of the group',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const { channel, member, holding, successors, visibleAtMs } = await held(context)
      const other = await channel.join('g', { credit: 100 })
      await context.lull()
      assert.deepEqual(
        [...member.waiting, ...other.waiting].filter(({ record }) => record.id !== holding.id),
        [],
      )
      await member.stop()
      await context.reach(visibleAtMs)
      await other.ack(await other.receive(holding))
      expectSame(await other.take(2), successors)
    },
  },
  {
    id: 'hold/other-group',
    title: 'a key that one group holds goes on in the others',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const { channel, holding, successors } = await held(context, ['g', 'other'])
      const other = await channel.join('other', { credit: 100 })
      expectSame(await other.take(3), [holding, ...successors])
    },
  },
  {
    id: 'hold/no-key',
    title: 'holding means nothing for a record without a key',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 100 })
      const [first] = await channel.publish(channel.record())
      assert.ok(first)
      const visibleAtMs = context.nowMs() + context.delayMs
      await member.release(await member.next(), { countsAttempt: true, visibleAtMs, holdKey: true })
      const others = await channel.publish(...channel.records(2))
      for (const other of others) await member.ack(await member.receive(other))
      await context.reach(visibleAtMs)
      assert.equal((await member.receive(first)).attempt, 2)
    },
  },
  {
    id: 'hold/addressed',
    title: 'what is addressed to a group waits behind a key that the group holds',
    needs: ['holdKey', 'delay', 'groupAddress'],
    async run(context) {
      const { channel, member, holding, successors, visibleAtMs } = await held(context)
      const [addressed] = await channel.publish(channel.record({ key: 'held', group: 'g' }))
      assert.ok(addressed)
      await context.reach(visibleAtMs)
      const again = await member.next()
      expectSame([again], [holding])
      await context.lull()
      assert.deepEqual(member.waiting, [])
      await member.ack(again)
      const rest = await member.take(3)
      expectSame(rest, [...successors, addressed])
    },
  },
]
