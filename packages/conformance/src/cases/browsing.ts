import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import { expectRefused, expectRejection, expectSame } from '../expect.ts'

/** Looking into channels, and moving dead letters back. */
export const browsing: readonly ConformanceCase[] = [
  {
    id: 'browse/pages',
    title: 'a channel can be read page by page, oldest first, without consuming anything',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: [], keyed: false })
      const sent = await channel.publish(...channel.records(25))
      for (const limit of [1, 7, 25, 10_000]) {
        const seen = await channel.browseAll(limit)
        assert.deepEqual(
          seen.map(({ record }) => record.id),
          sent.map(({ id }) => id),
        )
      }
      const page = await channel.browsing.browse({ channel: channel.name, limit: 7 })
      assert.equal(page.records.length, 7)
      await context.restart()
      await channel.declare([])
      const [first] = await channel.browseAll()
      assert.ok(first)
      expectSame([{ ...first, tag: 0, attempt: 1 }], sent.slice(0, 1))
      await channel.declare(['g'], 'earliest')
      const member = await channel.join('g', { credit: 100 })
      assert.equal((await member.take(25)).length, 25)
    },
  },
  {
    id: 'browse/empty',
    title:
      'an empty channel has one empty page; unknown channels, limits out of range and what is no position are refused',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: [] })
      const { browsing } = channel
      assert.deepEqual(await browsing.browse({ channel: channel.name, limit: 10 }), { records: [], next: undefined })
      await expectRejection(() => browsing.browse({ channel: context.unique('nowhere'), limit: 10 }), 'NOT_FOUND')
      for (const limit of [0, 10_001, 1.5]) {
        await expectRejection(() => browsing.browse({ channel: channel.name, limit }), 'INVALID_ARGUMENT')
      }
      const after = 'no position of any engine'
      await expectRejection(() => browsing.browse({ channel: channel.name, after, limit: 1 }), 'INVALID_ARGUMENT')
    },
  },
  {
    id: 'browse/dead-letters',
    title: 'a record that an acknowledgement published into a queue without a group stands there, and survives',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel()
      const dead = await context.channel({ kind: 'queue', groups: [], keyed: false })
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(channel.record({ key: 'k' }))
      const failed = await member.next()
      const letter = dead.record({
        ...failed.record,
        headers: { ...failed.record.headers, dlcode: 'HANDLER_REJECTED' },
      })
      await member.ack(failed, [letter])
      await context.restart()
      await dead.declare([])
      const found = await dead.browseAll()
      expectSame(
        found.map((each) => ({ ...each, tag: 0, attempt: 1 })),
        [letter],
      )
    },
  },
  {
    id: 'move/once',
    title: 'a record is moved once: the second time it is NOT_FOUND and nothing is published',
    needs: ['browsing', 'groupAddress'],
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const dead = await context.channel({ kind: 'queue', groups: [], keyed: false })
      await dead.publish(...dead.records(3))
      const [first, second] = await dead.browseAll()
      assert.ok(first && second)
      const back = (group: string) => [channel.record({ group })]
      const moves = [
        { position: first.position, publish: back('a') },
        { position: first.position, publish: back('a') },
        { position: second.position, publish: [] },
      ]
      const outcomes = await dead.browsing.move(dead.name, moves)
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, true],
      )
      expectRefused(outcomes[1], 'NOT_FOUND')
      const [again] = await dead.browsing.move(dead.name, [{ position: first.position, publish: back('b') }])
      expectRefused(again, 'NOT_FOUND')
      const [a, b] = [await channel.join('a', { credit: 10 }), await channel.join('b', { credit: 10 })]
      expectSame([await a.next()], moves[0]?.publish ?? [])
      await context.lull()
      assert.deepEqual([...a.waiting, ...b.waiting], [])
      assert.equal((await dead.browseAll()).length, 1)
      await context.restart()
      await dead.declare([])
      assert.equal((await dead.browseAll()).length, 1)
    },
  },
  {
    id: 'move/at-the-same-time',
    title: 'of two that move the same record at the same time one succeeds',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel()
      const dead = await context.channel({ kind: 'queue', groups: [], keyed: false })
      await dead.publish(...dead.records(10))
      const found = await dead.browseAll()
      const redrive = () =>
        dead.browsing.move(
          dead.name,
          found.map(({ position }) => ({ position, publish: [channel.record()] })),
        )
      const outcomes = (await Promise.all([redrive(), redrive(), redrive()])).flat()
      assert.equal(outcomes.filter(({ ok }) => ok).length, 10)
      const member = await channel.join('g', { credit: 100 })
      await member.take(10)
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'move/publish-fails',
    title: 'a record stays where it is when what should take its place cannot be published',
    needs: ['browsing'],
    async run(context) {
      const dead = await context.channel({ kind: 'queue', groups: [], keyed: false })
      await dead.publish(dead.record())
      const [letter] = await dead.browseAll()
      assert.ok(letter)
      const nowhere = { ...dead.record(), channel: context.unique('nowhere') }
      const [outcome] = await dead.browsing.move(dead.name, [{ position: letter.position, publish: [nowhere] }])
      expectRefused(outcome, 'NOT_FOUND')
      assert.deepEqual(
        (await dead.browseAll()).map(({ position }) => position),
        [letter.position],
      )
    },
  },
]
