import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'
import type { Received } from '../witness.ts'

/** Long enough for a group to be declared meanwhile on the busiest machine. */
const delayMsMax = 16_000

function expectNotEarly(received: Received, dueAtMs: number): void {
  const { record, receivedAtMs } = received
  assert.ok(receivedAtMs >= dueAtMs, `${record.id} came ${dueAtMs - receivedAtMs} ms before it was due`)
}

/** Records that are due later, when published or when released. How late they come is not judged. */
export const delay: readonly ConformanceCase[] = [
  {
    id: 'delay/publish',
    title: 'a record with a due time is delivered when that comes, not before, and holds up nothing',
    needs: ['delay'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const dueAtMs = context.nowMs() + context.delayMs
      const [later] = await channel.publish(channel.record({ key: 'k', dueAtMs }))
      const [now] = await channel.publish(channel.record({ key: 'k' }))
      assert.ok(later && now)
      await member.ack(await member.receive(now))
      await context.reach(dueAtMs)
      const received = await member.receive(later)
      expectSame([received], [later])
      expectNotEarly(received, dueAtMs)
      assert.equal(received.attempt, 1)
    },
  },
  {
    id: 'delay/past',
    title: 'a due time that has passed is no delay',
    needs: ['delay'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const dueTimes = [0, context.nowMs() - 60_000, context.nowMs()]
      const sent = await channel.publish(...dueTimes.map((dueAtMs) => channel.record({ dueAtMs })))
      expectSameSet(await member.take(3), sent)
    },
  },
  {
    id: 'delay/due-order',
    title: 'a key’s delayed records take their places when they are due',
    needs: ['delay', 'keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const startMs = context.nowMs()
      const step = context.delayMs
      const sent = await channel.publish(
        ...[3, 1, 2].map((steps) => channel.record({ key: 'k', dueAtMs: startMs + steps * step })),
      )
      const [third, first, second] = sent
      assert.ok(first && second && third)
      const member = await channel.join('g', { credit: 10, handle: acknowledge })
      await context.reach(startMs + 3 * step)
      expectSame(await member.take(3), [first, second, third])
    },
  },
  {
    id: 'delay/place',
    title: 'a key’s delayed record comes behind what was confirmed before it was due, however short its delay',
    needs: ['delay', 'keyOrder'],
    async run(context) {
      const count = 40
      // The shortest delays are the hardest to be exact about; but what is due before the rest is confirmed shows nothing.
      for (let stepMs = 1; ; stepMs *= 2) {
        const channel = await context.channel()
        const pairs: (readonly OutgoingRecord[])[] = []
        for (let at = 0; at < count; at += 1) {
          const dueAtMs = context.nowMs() + (at + 1) * stepMs
          const pair = await channel.publish(
            channel.record({ key: `k${at}`, dueAtMs }),
            channel.record({ key: `k${at}` }),
          )
          if (context.nowMs() < dueAtMs) pairs.push(pair)
        }
        if (pairs.length < count / 2 && stepMs * count < delayMsMax) continue
        await context.reach(context.nowMs() + count * stepMs)
        const member = await channel.join('g', { credit: 2 * count, handle: acknowledge })
        const order = (await member.take(2 * count)).map(({ record }) => record.id)
        const wrong = pairs.filter(([late, first]) => order.indexOf(late?.id ?? '') < order.indexOf(first?.id ?? ''))
        assert.deepEqual(
          wrong.map(([late]) => late?.id),
          [],
          'these took their places before they were due',
        )
        return
      }
    },
  },
  {
    id: 'delay/restart',
    title: 'delayed records survive a restart, those that fell due meanwhile included',
    needs: ['delay'],
    async run(context) {
      const channel = await context.channel()
      const soonMs = context.nowMs() + context.delayMs
      const laterMs = soonMs + context.delayMs
      const [soon, later] = await channel.publish(
        channel.record({ dueAtMs: soonMs }),
        channel.record({ dueAtMs: laterMs }),
      )
      assert.ok(soon && later)
      await context.restart()
      await channel.declare(['g'])
      await context.reach(soonMs)
      await context.restart()
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 10 })
      expectNotEarly(await member.receive(soon), soonMs)
      await context.reach(laterMs)
      expectNotEarly(await member.receive(later), laterMs)
    },
  },
  {
    id: 'delay/shared',
    title: 'delayed records are shared by a group and seen by every group, once each',
    needs: ['delay'],
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const dueAtMs = context.nowMs() + context.delayMs
      const members = await Promise.all(
        ['a', 'a', 'a', 'b'].map((group) => channel.join(group, { credit: 10, handle: acknowledge })),
      )
      const sent = await channel.publish(
        ...channel.records(60, (at) => ({ key: `k${at % 7}`, dueAtMs: dueAtMs + (at % 3) })),
      )
      await context.reach(dueAtMs + 3)
      const received = () => members.flatMap((member) => member.received)
      await context.until(
        () => received().length >= 120,
        () => `120 deliveries, got ${received().length}`,
      )
      await context.lull()
      for (const group of ['a', 'b']) {
        const seen = members.filter(({ scope }) => scope.group === group).flatMap((member) => member.received)
        expectSameSet(seen, sent)
        for (const each of seen) expectNotEarly(each, each.record.dueAtMs ?? 0)
      }
    },
  },
  {
    id: 'delay/joins-when-due',
    title: 'a delayed record joins its channel when it is due: a group declared before sees it',
    needs: ['delay'],
    async run(context) {
      // Declaring takes its time behind a network: a group that is there too late shows nothing.
      for (let delayMs = context.delayMs; ; delayMs *= 4) {
        const channel = await context.channel()
        const dueAtMs = context.nowMs() + delayMs
        const sent = await channel.publish(channel.record({ dueAtMs }))
        await channel.declare(['late'], 'next')
        if (context.nowMs() > dueAtMs - delayMs / 4 && delayMs < delayMsMax) continue
        const late = await channel.join('late', { credit: 10 })
        await context.reach(dueAtMs)
        return expectSame([await late.next()], sent)
      }
    },
  },
  {
    id: 'delay/release',
    title: 'a delivery that is released until later comes again then, not before, and holds up nothing',
    needs: ['delay'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const [first, second] = await channel.publish(...channel.records(2, { key: 'k' }))
      assert.ok(first && second)
      const [delivery, next] = await member.take(2)
      assert.ok(delivery && next)
      const visibleAtMs = context.nowMs() + context.delayMs
      await member.settled(
        { kind: 'release', tag: delivery.tag, countsAttempt: true, visibleAtMs },
        { kind: 'ack', tag: next.tag },
      )
      const [third] = await channel.publish(channel.record({ key: 'k' }))
      assert.ok(third)
      await member.ack(await member.receive(third))
      await context.reach(visibleAtMs)
      const again = await member.receive(first)
      expectSame([again], [first])
      expectNotEarly(again, visibleAtMs)
      assert.equal(again.attempt, 2)
    },
  },
  {
    id: 'delay/release-restart',
    title: 'a delayed release survives a restart, with its attempt and its time',
    needs: ['delay', 'attempts'],
    async run(context) {
      const channel = await context.channel()
      const before = await channel.join('g', { credit: 10 })
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      const visibleAtMs = context.nowMs() + context.delayMs
      await before.release(await before.next(), { countsAttempt: true, visibleAtMs })
      await context.restart()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 10 })
      await context.lull()
      await context.reach(visibleAtMs)
      const again = await after.next()
      expectSame([again], [sent])
      expectNotEarly(again, visibleAtMs)
      assert.equal(again.attempt, 2)
    },
  },
]
