import assert from 'node:assert/strict'
import type { Outcome, Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectRefused, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

/** The ends of deliveries. */
export const settlement: readonly ConformanceCase[] = [
  {
    id: 'settle/acknowledged',
    title: 'what is acknowledged is not delivered again, to no member and after no restart',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(10))
      const member = await channel.join('g', { credit: 10 })
      const received = await member.take(10)
      await member.ackAll(received.filter((_, at) => at % 2 === 0))
      await member.stop()
      const left = received.filter((_, at) => at % 2 === 1).map(({ record }) => record)
      for (const again of ['a member', 'a restart']) {
        if (again === 'a restart') {
          await context.restart()
          await channel.declare(['g'])
        }
        const next = await channel.join('g', { credit: 100 })
        expectSameSet(await next.take(left.length), left)
        await context.lull()
        assert.deepEqual(next.waiting, [], `after ${again}`)
        await next.stop()
      }
      assert.equal(sent.length, 10)
    },
  },
  {
    id: 'settle/publish',
    title: 'an acknowledgement publishes what it carries, into the same channel and others',
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel({ kind: 'queue' })
      const member = await channel.join('g', { credit: 10 })
      const reader = await other.join('g', { credit: 10 })
      await channel.publish(channel.record())
      const [here, there] = [channel.record(), other.record()]
      await member.ack(await member.next(), [here, there])
      expectSame([await member.next()], [here])
      expectSame([await reader.next()], [there])
    },
  },
  {
    id: 'settle/publish-survives',
    title: 'what an acknowledgement published survives a restart, and the delivery does not come back',
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel()
      await channel.publish(channel.record())
      const member = await channel.join('g', { credit: 10 })
      const carried = other.records(3, { key: 'k' })
      await member.ack(await member.next(), carried)
      await context.restart()
      for (const each of [channel, other]) await each.declare(['g'])
      const reader = await other.join('g', { credit: 10 })
      expectSame(await reader.take(3), carried)
      const again = await channel.join('g', { credit: 10 })
      await context.lull()
      assert.deepEqual(again.waiting, [])
    },
  },
  {
    id: 'settle/publish-fails',
    title: 'where a record cannot be published nothing is acknowledged, and it can be tried again',
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(channel.record())
      const received = await member.next()
      const { tag } = received
      const nowhere = { ...other.record(), channel: context.unique('nowhere') }
      const outcomes = await member.settle([{ kind: 'ack', tag, publish: [nowhere] }])
      expectRefused(outcomes[0], 'NOT_FOUND')
      const good = other.record()
      await member.ack(received, [good])
      const reader = await other.join('g', { credit: 10 })
      expectSame([await reader.next()], [good])
    },
  },
  {
    id: 'settle/atomic',
    title: 'an acknowledgement and its records stand or fall together',
    needs: ['atomicSettle'],
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const reader = await other.join('g', { credit: 10 })
      await channel.publish(channel.record())
      const { tag } = await member.next()
      const nowhere = { ...other.record(), channel: context.unique('nowhere') }
      const outcomes = await member.settle([{ kind: 'ack', tag, publish: [other.record(), nowhere, other.record()] }])
      expectRefused(outcomes[0], 'NOT_FOUND')
      await context.lull()
      assert.deepEqual(reader.waiting, [], 'none of the records was published')
      await member.stop()
      const again = await channel.join('g', { credit: 10 })
      assert.equal((await again.next()).attempt, 1, 'the delivery was not acknowledged')
    },
  },
  {
    id: 'settle/atomic-crash',
    title: 'acknowledgements that a crash interrupts happened with all of their records or not at all',
    needs: ['atomicSettle', 'crash'],
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel()
      const sent = await channel.publish(...channel.records(60))
      const member = await channel.join('g', { credit: 60 })
      const received = await member.take(60)
      const consequences = ({ id }: { readonly id: string }) => ['a', 'b'].map((part) => `${id}/${part}`)
      let answered = 0
      for (const delivery of received) {
        const publish = consequences(delivery.record).map((id) => other.record({ id }))
        const settled = member.settle([{ kind: 'ack', tag: delivery.tag, publish }])
        void settled.then(
          () => (answered += 1),
          () => {},
        )
      }
      await context.until(
        () => answered > 0,
        () => 'the first answer',
      )
      await context.crash()
      for (const each of [channel, other]) await each.declare(['g'])
      const again = await channel.join('g', { credit: 100, handle: acknowledge })
      const reader = await other.join('g', { credit: 200, handle: acknowledge })
      const state = ({ id }: { readonly id: string }) => ({
        again: again.received.some(({ record }) => record.id === id),
        published: consequences({ id }).filter((each) => reader.received.some(({ record }) => record.id === each))
          .length,
      })
      await context.until(
        () => sent.every((record) => state(record).again || state(record).published === 2),
        () => 'every record to come again or to have its consequences',
      )
      await context.lull()
      const torn = sent.filter((record) => state(record).again === state(record).published > 0)
      assert.deepEqual(
        torn.map(({ id }) => id),
        [],
      )
    },
  },
  {
    id: 'settle/twice',
    title: 'settling twice is DELIVERY_LOST, whatever the first and the second settlement',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 4 })
      await channel.publish(...channel.records(4))
      const [one, two, three, four] = (await member.take(4)).map(({ tag }) => tag)
      assert.ok(one && two && three && four)
      const ack = (tag: number): Settlement => ({ kind: 'ack', tag })
      const release = (tag: number): Settlement => ({ kind: 'release', tag, countsAttempt: true })
      const outcomes: Outcome[] = []
      for (const [first, second] of [
        [ack(one), ack(one)],
        [ack(two), release(two)],
        [release(three), ack(three)],
      ] as const) {
        await member.settled(first)
        outcomes.push(...(await member.settle([second])))
      }
      const [first, second] = await member.settle([ack(four), ack(four)])
      assert.equal(first?.ok, true)
      for (const outcome of [...outcomes, second]) expectRefused(outcome, 'DELIVERY_LOST')
    },
  },
  {
    id: 'settle/unknown',
    title: 'a tag that was never given out is DELIVERY_LOST and does not harm its neighbours',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(...channel.records(2))
      const [first, second] = await member.take(2)
      assert.ok(first && second)
      const outcomes = await member.settle([
        { kind: 'ack', tag: first.tag },
        { kind: 'ack', tag: 987_654_321, publish: [channel.record()] },
        { kind: 'release', tag: second.tag, countsAttempt: true },
      ])
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, true],
      )
      expectRefused(outcomes[1], 'DELIVERY_LOST')
      expectSame([await member.next()], [second.record])
      await context.lull()
      assert.deepEqual(member.waiting, [], 'a lost delivery publishes nothing')
    },
  },
  {
    id: 'settle/after-stop',
    title: 'settling after the member left is DELIVERY_LOST and takes nothing from its successor',
    async run(context) {
      const channel = await context.channel()
      const first = await channel.join('g', { credit: 10 })
      const sent = await channel.publish(channel.record())
      const { tag } = await first.next()
      await first.stop()
      const second = await channel.join('g', { credit: 10 })
      const received = await second.next()
      expectSame([received], sent)
      for (const outcome of await first.settle([{ kind: 'ack', tag }])) expectRefused(outcome, 'DELIVERY_LOST')
      await second.ack(received)
    },
  },
  {
    id: 'settle/nothing',
    title: 'an empty batch of settlements is answered with no outcomes',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 1 })
      assert.deepEqual(await member.settle([]), [])
    },
  },
]
