import assert from 'node:assert/strict'
import type { GroupSpec } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused, expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

/** Declares a temporary group of a channel. */
async function declareTemporary(context: CaseContext, channel: TestChannel, wish: Partial<GroupSpec> = {}) {
  const spec = { channel: channel.name, group: 'temporary', from: 'next', lifetime: 'temporary' } as const
  return context.declare([channel.spec], [{ ...spec, ...wish }])
}

/**
 * Waits until a group is gone whose members have vanished: a server may have to miss them first. Looks only, since joining
 * would keep it.
 */
async function missed(context: CaseContext, channel: TestChannel, group: string): Promise<void> {
  const { lag } = context.engine
  if (lag === undefined) return
  let isGone = false
  const look = async (): Promise<void> => {
    while (!isGone) {
      await lag.lag(channel.name, group).catch(() => {
        isGone = true
      })
      await context.reach(context.nowMs() + lookMs)
    }
  }
  await context.within(look(), `the end of ${group}`)
}

const lookMs = 50
const dayMs = 86_400_000

/** Groups that go with their last member. */
export const temporary: readonly ConformanceCase[] = [
  {
    id: 'temporary/works',
    title: 'a temporary group is like any other while it has members: shared, with attempts, beside durable ones',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      const made = await declareTemporary(context, channel)
      assert.deepEqual(made.created.length, 1)
      const leaving = await channel.join('temporary', { credit: 5 })
      const staying = await channel.join('temporary', { credit: 5, handle: acknowledge })
      const durable = await channel.join('g', { credit: 100, handle: acknowledge })
      const sent = await channel.publish(...channel.records(100, (at) => ({ key: `k${at % 20}` })))
      for (const received of await leaving.take(2)) await leaving.release(received, { countsAttempt: true })
      await leaving.stop()
      const received = await staying.take(100)
      expectSameSet(received, sent)
      if (context.capabilities.attempts === 'exact') {
        assert.equal(received.filter(({ attempt }) => attempt === 2).length, 2)
      }
      expectSameSet(await durable.take(100), sent)
    },
  },
  {
    id: 'temporary/last-member',
    title: 'it goes with its last member, with all that waits in it: nobody can join, nothing comes back',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      const member = await channel.join('temporary', { credit: 3 })
      await channel.publish(...channel.records(10, { key: 'k' }))
      await member.take(3)
      await member.stop()
      await expectRejection(() => channel.join('temporary'), 'NOT_FOUND')
      if (context.capabilities.groupAddress === 'native') {
        expectRefused((await channel.tryPublish(channel.record({ group: 'temporary' })))[0], 'NOT_FOUND')
      }
      const made = await declareTemporary(context, channel)
      assert.equal(made.created.length, 1, 'it is made anew')
      const next = await channel.join('temporary', { credit: 100 })
      const sent = await channel.publish(channel.record({ key: 'k' }))
      const received = await next.take(1)
      expectSame(received, sent)
      assert.equal(received[0]?.attempt, 1)
      await context.lull()
      assert.deepEqual(next.waiting, [])
    },
  },
  {
    id: 'temporary/not-the-last',
    title: 'it stays while it has a member: what one that leaves has not settled goes to the others',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      const first = await channel.join('temporary', { credit: 10 })
      const sent = await channel.publish(...channel.records(5, { key: 'k' }))
      await first.take(5)
      const second = await channel.join('temporary', { credit: 10 })
      await first.stop()
      expectSame(await second.take(5), sent)
    },
  },
  {
    id: 'temporary/before-the-first',
    title: 'one that nobody has joined yet keeps what is published meanwhile',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      const sent = await channel.publish(...channel.records(10))
      const member = await channel.join('temporary', { credit: 10 })
      expectSameSet(await member.take(10), sent)
    },
  },
  {
    id: 'temporary/earliest',
    title: 'it may begin with all that is kept',
    needs: ['temporaryGroups', 'history'],
    async run(context) {
      const channel = await context.channel({ groups: [], retention: { forMs: dayMs } })
      const sent = await channel.publish(...channel.records(10))
      for (let round = 0; round < 2; round += 1) {
        await declareTemporary(context, channel, { from: 'earliest' })
        const member = await channel.join('temporary', { credit: 100, handle: acknowledge })
        expectSameSet(await member.take(10), sent)
        await member.stop()
      }
    },
  },
  {
    id: 'temporary/restart',
    title: 'it goes with its process, joined or not, and durable groups do not suffer',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      await declareTemporary(context, channel, { group: 'unjoined' })
      const member = await channel.join('temporary', { credit: 3 })
      const sent = await channel.publish(...channel.records(10))
      await member.take(3)
      await context.restart()
      for (const group of ['temporary', 'unjoined']) {
        await expectRejection(() => channel.join(group), 'NOT_FOUND')
      }
      const durable = await channel.join('g', { credit: 100 })
      expectSameSet(await durable.take(10), sent)
    },
  },
  {
    id: 'temporary/crash',
    title: 'it is gone after a crash, with what waited for it, and begins anew when it is declared again',
    needs: ['temporaryGroups', 'crash'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      await declareTemporary(context, channel, { group: 'unjoined' })
      const member = await channel.join('temporary', { credit: 3 })
      const sent = await channel.publish(...channel.records(10))
      await member.take(3)
      await context.crash()
      for (const group of ['temporary', 'unjoined']) {
        if (context.underTest.advance === undefined) await missed(context, channel, group)
        await expectRejection(() => channel.join(group), 'NOT_FOUND')
      }
      await declareTemporary(context, channel)
      const again = await channel.join('temporary', { credit: 100 })
      const durable = await channel.join('g', { credit: 100, handle: acknowledge })
      expectSameSet(await durable.take(10), sent)
      await context.lull()
      assert.deepEqual(again.waiting, [])
    },
  },
  {
    id: 'temporary/space',
    title: 'what only a temporary group needed goes with it',
    needs: ['temporaryGroups', 'browsing'],
    async run(context) {
      const channel = await context.channel({ groups: [] })
      await declareTemporary(context, channel)
      const member = await channel.join('temporary', { credit: 3 })
      await channel.publish(...channel.records(10))
      await member.take(3)
      await member.stop()
      // An engine may clear away behind what it is doing; that it needs work to do so is allowed.
      const isEmpty = async () => {
        await context.lull()
        return (await channel.browseAll()).length === 0
      }
      let empty = false
      for (let round = 0; round < 20 && !empty; round += 1) empty = await isEmpty()
      assert.ok(empty, 'nothing is left of it')
    },
  },
  {
    id: 'temporary/addressed-later',
    title: 'what is addressed to it and due later goes with it, and to nobody else',
    needs: ['temporaryGroups', 'groupAddress', 'delay'],
    async run(context) {
      const channel = await context.channel()
      await declareTemporary(context, channel)
      const member = await channel.join('temporary', { credit: 10 })
      const durable = await channel.join('g', { credit: 10 })
      const dueAtMs = context.nowMs() + context.delayMs
      await channel.publish(channel.record({ group: 'temporary', dueAtMs }))
      await member.stop()
      await context.reach(dueAtMs)
      const sent = await channel.publish(channel.record())
      expectSame([await durable.next()], sent)
      await context.lull()
      assert.deepEqual(durable.waiting, [])
    },
  },
  {
    id: 'temporary/many',
    title: 'temporary groups come and go by the dozen beside a durable one',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel()
      const durable = await channel.join('g', { credit: 100, handle: acknowledge })
      const instance = async (at: number) => {
        const group = `instance-${at}`
        await declareTemporary(context, channel, { group })
        const member = await channel.join(group, { credit: 100 })
        const [sent] = await channel.publish(channel.record())
        assert.ok(sent)
        await member.receive(sent)
        await member.stop()
        await expectRejection(() => channel.join(group), 'NOT_FOUND')
      }
      await Promise.all(Array.from({ length: 24 }, (_, at) => instance(at)))
      assert.equal((await durable.take(24)).length, 24)
    },
  },
  {
    id: 'temporary/drift',
    title: 'a group that exists with another lifetime is named as drift and stays as it is',
    needs: ['temporaryGroups'],
    async run(context) {
      const channel = await context.channel({ groups: ['g'] })
      const spec = { channel: channel.name, group: 'g', from: 'next', lifetime: 'temporary' } as const
      const { created, drift } = await context.engine.declare({ channels: [], groups: [spec] })
      assert.deepEqual(created, [])
      assert.deepEqual(
        drift.map(({ setting, wanted, found }) => ({ setting, wanted, found })),
        [{ setting: 'lifetime', wanted: 'temporary', found: 'durable' }],
      )
      await (await channel.join('g')).stop()
      await (await channel.join('g')).stop()
    },
  },
  {
    id: 'temporary/queue',
    title: 'the group of a queue is refused as temporary: what stands there would go with it',
    needs: ['temporaryGroups'],
    async run(context) {
      const name = context.unique('queue')
      const channels = [{ name, kind: 'queue', keyed: false }] as const
      const groups = [{ channel: name, group: 'g', from: 'next', lifetime: 'temporary' }] as const
      await expectRejection(() => context.engine.declare({ channels, groups }), 'CONFIG_INVALID')
    },
  },
]
