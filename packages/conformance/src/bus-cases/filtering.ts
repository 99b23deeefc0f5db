import assert from 'node:assert/strict'
import { notes, plainEvent, startedBus } from '../bus/bus.ts'
import { Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** Groups that want only some messages, on engines that filter and on those that do not. */
export const busFiltering: readonly ConformanceCase[] = [
  {
    id: 'bus-filter/level',
    title: 'a filter by tag, by headers or by an expression hands out what it wants, in order, and settles the rest',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const filters = {
        tag: { tag: ['gold', 'silver'] },
        all: { headers: { all: { tag: 'gold', region: 'eu' } } },
        any: { headers: { any: { tag: 'silver', region: 'us' } } },
        sql: { sql: "tag = 'gold' AND region LIKE 'e%'" },
      }
      const bus = await startedBus(context, (each) => {
        for (const [group, filter] of Object.entries(filters))
          each.on(Noted, { ...settings, group, filter, concurrency: 1 }, journal.handler(group))
        each.on(Noted, { ...settings, group: 'everything' }, journal.handler('everything'))
      })
      const [tags, regions] = [
        ['gold', 'silver', 'lead'],
        ['eu', 'us'],
      ]
      const count = 120
      const headersOf = (n: number) => ({ tag: tags?.[n % 3] ?? '', region: regions?.[n % 2] ?? '' })
      for (let n = 0; n < count; n += 1) await bus.publish(Noted, { n }, { headers: headersOf(n) })
      const wanted = (fits: (tag: string, region: string) => boolean) =>
        notes(count)
          .map(({ n }) => n)
          .filter((n) => fits(headersOf(n).tag, headersOf(n).region))
      const expected = {
        tag: wanted((tag) => tag !== 'lead'),
        all: wanted((tag, region) => tag === 'gold' && region === 'eu'),
        any: wanted((tag, region) => tag === 'silver' || region === 'us'),
        sql: wanted((tag, region) => tag === 'gold' && region === 'eu'),
        everything: wanted(() => true),
      }
      const total = Object.values(expected).reduce((sum, { length }) => sum + length, 0)
      await journal.reached(total)
      await context.lull()
      for (const [group, numbers] of Object.entries(expected)) {
        assert.deepEqual(
          journal
            .by(group)
            .map(({ n }) => n)
            .sort((a, b) => a - b),
          numbers,
          group,
        )
      }
      context.count('messages', count)
    },
  },
  {
    id: 'bus-filter/uncounted',
    title: 'what a filter does not want counts no attempt and is no dead letter, and what it wants is not held up',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const filtered = { ...settings, filter: { tag: 'wanted' }, prefetch: 4 }
      const bus = await startedBus(context, (each) => each.on(Noted, filtered, journal.handler()))
      const count = 200
      for (let n = 0; n < count; n += 1) {
        const tag = n % 20 === 19 ? 'wanted' : 'other'
        await bus.publish(Noted, { n }, { headers: { tag } })
      }
      await journal.reached(count / 20)
      await context.lull()
      const [stats] = bus.stats()
      assert.deepEqual([stats?.redelivered, stats?.deadLettered, stats?.acked], [0, 0, count / 20])
      const unseen = (stats?.filtered ?? 0) + (context.capabilities.filter === 'native' ? count - count / 20 : 0)
      assert.equal(unseen, count - count / 20, 'the others were settled, by the engine or by the core')
    },
  },
]
