import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import { expectRefused, expectSame } from '../expect.ts'
import { idsPrepared, nameOf, prepare, preparingOf, resolve, resolved } from './preparing.ts'

/** Prepared records and decisions about them over restarts and crashes. */
export const preparingSurvival: readonly ConformanceCase[] = [
  {
    id: 'prepare/restart',
    title: 'prepared records and decisions hold over restarts',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const [waiting, committed, gone] = channel.records(3)
      assert.ok(waiting && committed && gone)
      for (const record of [waiting, committed, gone]) await prepare(context, record)
      await preparingOf(context).postpone(nameOf(waiting), Number.POSITIVE_INFINITY)
      await resolved(context, 'commit', committed)
      await resolved(context, 'rollback', gone)
      await context.restart()
      await channel.declare(['g'])
      const [found] = await preparingOf(context).prepared(channel.name, 10)
      assert.deepEqual(
        { id: found?.record.id, checks: found?.checks, checkAtMs: found?.checkAtMs },
        { id: waiting.id, checks: 1, checkAtMs: Number.POSITIVE_INFINITY },
      )
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [committed])
      await resolved(context, 'commit', waiting)
      expectSame([await member.next()], [waiting])
      for (const outcome of await resolve(context, 'commit', committed, gone)) expectRefused(outcome, 'NOT_FOUND')
    },
  },
  {
    id: 'prepare/crash',
    title: 'what was answered holds over a crash: prepared stays prepared, committed is delivered, rolled back is gone',
    needs: ['preparing', 'crash'],
    async run(context) {
      const channel = await context.channel()
      const [waiting, committed, gone] = channel.records(3)
      assert.ok(waiting && committed && gone)
      for (const record of [waiting, committed, gone]) await prepare(context, record)
      await resolved(context, 'commit', committed)
      await resolved(context, 'rollback', gone)
      await context.crash()
      await channel.declare(['g'])
      assert.deepEqual(await idsPrepared(context, channel), [waiting.id])
      const member = await channel.join('g', { credit: 10 })
      const received = await member.next()
      expectSame([received], [committed])
      await member.ack(received)
      await resolved(context, 'commit', waiting)
      expectSame([await member.next()], [waiting])
    },
  },
  {
    id: 'prepare/crash-atomic',
    title: 'commits that a crash interrupts happened whole or not at all: nothing is both prepared and published',
    needs: ['preparing', 'crash'],
    async run(context) {
      const channel = await context.channel()
      const records = channel.records(60)
      await Promise.all(records.map((record) => prepare(context, record)))
      let answered = 0
      for (const record of records) {
        void resolve(context, 'commit', record).then(
          () => (answered += 1),
          () => {},
        )
      }
      await context.until(
        () => answered > 0,
        () => 'the first answer',
      )
      await context.crash()
      await channel.declare(['g'])
      const left = new Set(await idsPrepared(context, channel))
      const member = await channel.join('g', { credit: 100 })
      const received = await member.take(records.length - left.size)
      await context.lull()
      assert.deepEqual(member.waiting, [])
      const seen = [...received.map(({ record }) => record.id), ...left]
      assert.deepEqual(seen.sort(), records.map(({ id }) => id).sort())
    },
  },
]
