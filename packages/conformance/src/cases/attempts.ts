import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import { acknowledge } from '../member.ts'

/** How often a record was handed over, as far as it counts. */
export const attempts: readonly ConformanceCase[] = [
  {
    id: 'attempts/counted',
    title: 'a release that counts raises the attempt, one that does not leaves it',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(channel.record({ key: 'k' }))
      const seen: number[] = []
      for (const countsAttempt of [true, false, false, true, true]) {
        const received = await member.next()
        seen.push(received.attempt)
        await member.release(received, { countsAttempt })
      }
      const last = await member.next()
      assert.deepEqual([...seen, last.attempt], [1, 2, 2, 2, 3, 4])
      await member.ack(last)
    },
  },
  {
    id: 'attempts/alone',
    title: 'the attempts of one record say nothing about another, of the same key or none',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      for (const key of ['k', undefined]) {
        await channel.publish(...channel.records(2, { key }))
        const [first, second] = await member.take(2)
        assert.ok(first && second)
        await member.release(first, { countsAttempt: true })
        await member.release(second)
        const again = await member.take(2)
        assert.deepEqual(Object.fromEntries(again.map(({ record, attempt }) => [record.id, attempt])), {
          [first.record.id]: 2,
          [second.record.id]: 1,
        })
        await member.ackAll(again)
      }
    },
  },
  {
    id: 'attempts/restart',
    title: 'attempts survive a restart, and an engine that is closed in order counts none',
    needs: ['attempts'],
    async run(context) {
      const channel = await context.channel()
      await channel.publish(channel.record())
      let member = await channel.join('g', { credit: 10 })
      await member.release(await member.next(), { countsAttempt: true })
      assert.equal((await member.next()).attempt, 2)
      await context.restart()
      await channel.declare(['g'])
      member = await channel.join('g', { credit: 10 })
      const received = await member.next()
      assert.equal(received.attempt, 2)
      await member.release(received, { countsAttempt: true })
      assert.equal((await member.next()).attempt, 3)
    },
  },
  {
    id: 'attempts/stop',
    title: 'a member that leaves in order gives back without counting an attempt',
    async run(context) {
      const channel = await context.channel()
      await channel.publish(...channel.records(3, { key: 'k' }))
      for (let round = 0; round < 4; round += 1) {
        const member = await channel.join('g', { credit: 10 })
        assert.deepEqual(
          (await member.take(3)).map(({ attempt }) => attempt),
          [1, 1, 1],
        )
        await member.stop()
      }
    },
  },
  {
    id: 'attempts/crash',
    title: 'what was handed over when the process was killed comes again as the next attempt, the rest does not',
    needs: ['attempts', 'crash'],
    async run(context) {
      const channel = await context.channel()
      await channel.publish(...channel.records(5))
      const before = await channel.join('g', { credit: 2 })
      const handedOver = new Set((await before.take(2)).map(({ record }) => record.id))
      await context.crash()
      await channel.declare(['g'])
      // Settled as they come: an engine may watch suspects one at a time.
      const after = await channel.join('g', { credit: 5, handle: acknowledge })
      for (const { record, attempt } of await after.take(5)) {
        assert.equal(attempt, handedOver.has(record.id) ? 2 : 1, record.id)
      }
    },
  },
  {
    id: 'attempts/crashes',
    title: 'a record that kills its process each time is counted up each time',
    needs: ['attempts', 'crash'],
    async run(context) {
      const channel = await context.channel()
      await channel.publish(channel.record({ key: 'k' }))
      for (let crashes = 0; crashes < 4; crashes += 1) {
        const member = await channel.join('g', { credit: 10 })
        assert.equal((await member.next()).attempt, crashes + 1)
        await context.crash()
        await channel.declare(['g'])
      }
    },
  },
  {
    id: 'attempts/settled-before-crash',
    title: 'what was settled before the process was killed stays settled',
    needs: ['attempts', 'crash'],
    async run(context) {
      const channel = await context.channel()
      await channel.publish(...channel.records(3, (at) => ({ headers: { n: String(at) } })))
      const before = await channel.join('g', { credit: 3 })
      const [acked, counted, handedBack] = await before.take(3)
      assert.ok(acked && counted && handedBack)
      await before.ack(acked)
      await before.release(counted, { countsAttempt: true })
      await before.release(handedBack)
      await context.crash()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 10 })
      const received = await after.take(2)
      assert.deepEqual(Object.fromEntries(received.map(({ record, attempt }) => [record.id, attempt])), {
        [counted.record.id]: 2,
        [handedBack.record.id]: 1,
      })
      await context.lull()
      assert.equal(after.waiting.length, 0)
    },
  },
]
