import assert from 'node:assert/strict'
import type { PatternGroupSpec, Patterns } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

function patternsOf(context: CaseContext): Patterns {
  const { patterns } = context.engine
  assert.ok(patterns, 'the case needs patterns')
  return patterns
}

/** Follows a pattern with a group `p`. */
async function follow(context: CaseContext, pattern: string, wish: Partial<PatternGroupSpec> = {}): Promise<void> {
  await context.within(patternsOf(context).declare({ pattern, group: 'p', from: 'next', ...wish }), 'declare')
}

/** A log without groups of its own. */
const log = (context: CaseContext, name: string): Promise<TestChannel> => context.channel({ name, groups: [] })

const dayMs = 86_400_000

/** Groups over all channels of a pattern. */
export const patterns: readonly ConformanceCase[] = [
  {
    id: 'pattern/now-and-later',
    title: 'a group is made on each log that matches, now and later, before anything is published to it',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      const before = await log(context, `${base}.order.created`)
      await follow(context, `${base}.order.*`)
      const after = await log(context, `${base}.order.paid`)
      for (const channel of [before, after]) {
        const sent = await channel.publish(...channel.records(10))
        const member = await channel.join('p', { credit: 100, handle: acknowledge })
        expectSameSet(await member.take(10), sent)
      }
    },
  },
  {
    id: 'pattern/words',
    title: 'a star is one word, two at the end are one or more; queues and internal channels match nothing',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      const names = [
        base,
        `${base}.a`,
        `${base}.b`,
        `${base}.a.x`,
        `${base}.a.x.y`,
        `${base}x.a`,
        `posthaste.${base}.a`,
      ]
      const channels = new Map<string, TestChannel>()
      for (const name of names) channels.set(name, await log(context, name))
      channels.set(`${base}.queue`, await context.channel({ name: `${base}.queue`, kind: 'queue', groups: [] }))
      const expected: Readonly<Record<string, readonly string[]>> = {
        [`${base}.*`]: [`${base}.a`, `${base}.b`],
        [`${base}.**`]: [`${base}.a`, `${base}.b`, `${base}.a.x`, `${base}.a.x.y`],
        [`${base}.a.*`]: [`${base}.a.x`],
        [`${base}.*.x`]: [`${base}.a.x`],
        [`${base}.*.**`]: [`${base}.a.x`, `${base}.a.x.y`],
        [`*.${base}.*`]: [],
        [`${base}.b`]: [`${base}.b`],
      }
      for (const [at, [pattern, matching]] of Object.entries(expected).entries()) {
        const group = `p${at}`
        await follow(context, pattern, { group })
        for (const [name, channel] of channels) {
          if (matching.includes(name)) await (await channel.join(group)).stop()
          else await expectRejection(() => channel.join(group), 'NOT_FOUND')
        }
      }
    },
  },
  {
    id: 'pattern/watch',
    title: 'who watches is told of the channels there are before it resolves, of each later one as it appears, once',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      const pattern = `${base}.*`
      const told: string[] = []
      await log(context, `${base}.a`)
      await follow(context, pattern)
      const end = await patternsOf(context).watch(pattern, (channel) => told.push(channel))
      assert.deepEqual(told, [`${base}.a`])
      await log(context, `${base}.b`)
      await log(context, `${base}.b`)
      await follow(context, pattern)
      await log(context, `${base}.b.c`)
      await context.until(
        () => told.length >= 2,
        () => 'to be told of the second',
      )
      await context.lull()
      assert.deepEqual(told, [`${base}.a`, `${base}.b`])
      end()
      await log(context, `${base}.d`)
      await context.lull()
      assert.equal(told.length, 2)
    },
  },
  {
    id: 'pattern/watch-and-join',
    title: 'what is published to a channel right after it was made reaches who was told of it',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      await follow(context, `${base}.*`)
      const channels = new Map<string, TestChannel>()
      const told: string[] = []
      await patternsOf(context).watch(`${base}.*`, (channel) => told.push(channel))
      const sent = []
      for (const word of ['a', 'b', 'c', 'd']) {
        const channel = await log(context, `${base}.${word}`)
        channels.set(channel.name, channel)
        sent.push(...(await channel.publish(...channel.records(5))))
      }
      await context.until(
        () => told.length === 4,
        () => `4 channels, told of ${told}`,
      )
      const members = await Promise.all(
        told.map((name) => channels.get(name)?.join('p', { credit: 10, handle: acknowledge })),
      )
      const received = () => members.flatMap((member) => member?.received ?? [])
      await context.until(
        () => received().length >= sent.length,
        () => `${sent.length} deliveries, got ${received().length}`,
      )
      expectSameSet(received(), sent)
    },
  },
  {
    id: 'pattern/restart',
    title: 'a durable one is followed over a restart, in channels of before and of after it',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      const before = await log(context, `${base}.before`)
      await follow(context, `${base}.*`)
      const early = await before.publish(before.record())
      await context.restart()
      const after = await log(context, `${base}.after`)
      const late = await after.publish(after.record())
      expectSame([await (await before.join('p', { credit: 10 })).next()], early)
      expectSame([await (await after.join('p', { credit: 10 })).next()], late)
      const told: string[] = []
      await patternsOf(context).watch(`${base}.*`, (channel) => told.push(channel))
      assert.deepEqual(told.sort(), [after.name, before.name].sort())
    },
  },
  {
    id: 'pattern/crash',
    title: 'a durable one is followed over a crash',
    needs: ['patterns', 'crash'],
    async run(context) {
      const base = context.unique('shop')
      const before = await log(context, `${base}.before`)
      await follow(context, `${base}.*`)
      const early = await before.publish(before.record())
      await context.crash()
      const after = await log(context, `${base}.after`)
      const late = await after.publish(after.record())
      expectSame([await (await before.join('p', { credit: 10, handle: acknowledge })).next()], early)
      expectSame([await (await after.join('p', { credit: 10, handle: acknowledge })).next()], late)
    },
  },
  {
    id: 'pattern/temporary',
    title: 'a temporary one goes with its process: no channel of later has it',
    needs: ['patterns', 'temporaryGroups'],
    async run(context) {
      const base = context.unique('shop')
      const before = await log(context, `${base}.before`)
      await follow(context, `${base}.*`, { lifetime: 'temporary' })
      const sent = await before.publish(before.record())
      const member = await before.join('p', { credit: 10 })
      expectSame([await member.next()], sent)
      await context.restart()
      const after = await log(context, `${base}.after`)
      for (const channel of [before, after]) await expectRejection(() => channel.join('p'), 'NOT_FOUND')
      await follow(context, `${base}.*`, { lifetime: 'temporary' })
      for (const channel of [before, after]) await (await channel.join('p')).stop()
    },
  },
  {
    id: 'pattern/begin',
    title: 'its groups begin where it says: with all that is kept, or with what comes next',
    needs: ['patterns', 'history'],
    async run(context) {
      const base = context.unique('shop')
      const channel = await context.channel({ name: `${base}.a`, groups: [], retention: { forMs: dayMs } })
      const early = await channel.publish(...channel.records(5))
      await follow(context, `${base}.*`, { group: 'all', from: 'earliest' })
      await follow(context, `${base}.*`, { group: 'new', from: 'next' })
      const late = await channel.publish(...channel.records(5))
      const all = await channel.join('all', { credit: 100 })
      const fresh = await channel.join('new', { credit: 100 })
      expectSameSet(await all.take(10), [...early, ...late])
      expectSameSet(await fresh.take(5), late)
      await context.lull()
      assert.deepEqual([...all.waiting, ...fresh.waiting], [])
    },
  },
  {
    id: 'pattern/again',
    title: 'following again leaves the groups where they are',
    needs: ['patterns'],
    async run(context) {
      const base = context.unique('shop')
      const channel = await log(context, `${base}.a`)
      await follow(context, `${base}.*`)
      const sent = await channel.publish(...channel.records(6))
      const member = await channel.join('p', { credit: 3 })
      const first = await member.take(3)
      await member.ackAll(first)
      for (const from of ['earliest', 'next'] as const) await follow(context, `${base}.*`, { from })
      member.grant(10)
      expectSameSet([...first, ...(await member.take(3))], sent)
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'pattern/refused',
    title: 'what is no pattern and no name of a group is refused',
    needs: ['patterns'],
    async run(context) {
      for (const pattern of ['', 'a.', '.a', 'a.**.b', 'a*', 'a b', 'a.#']) {
        await expectRejection(() => follow(context, pattern), 'CONFIG_INVALID')
      }
      await expectRejection(() => follow(context, 'a.*', { group: 'no spaces' }), 'CONFIG_INVALID')
    },
  },
]
