import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

/** A window that no case outlives, on a slow machine neither. */
const amplyMs = (context: CaseContext) => Math.min(3_600_000, context.capabilities.deduplicateForMsMax)

const repeated = (record: OutgoingRecord): OutgoingRecord => ({ ...record, body: Uint8Array.of(2), headers: {} })

/** Repeated ids within a time. */
export const deduplication: readonly ConformanceCase[] = [
  {
    id: 'dedupe/repetition',
    title: 'a repeated id is confirmed and not stored again, in one call, at the same time, and after it was settled',
    needs: ['deduplication'],
    async run(context) {
      const channel = await context.channel({ deduplicateForMs: amplyMs(context) })
      const [a, b] = channel.records(2)
      assert.ok(a && b)
      await channel.publish(a, repeated(a), b, repeated(a))
      await channel.publish(repeated(b))
      const many = channel.records(20)
      await Promise.all(
        many.flatMap((record) => [record, repeated(record), repeated(record)]).map((each) => channel.publish(each)),
      )
      const member = await channel.join('g', { credit: 100 })
      const received = await member.take(22)
      expectSameSet(received, [a, b, ...many])
      await member.ackAll(received)
      await channel.publish(repeated(a), ...many.map(repeated))
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'dedupe/window',
    title: 'the window begins with the first of an id, is not prolonged by others, and ends',
    needs: ['deduplication'],
    async run(context) {
      const deduplicateForMs = context.delayMs
      const channel = await context.channel({ deduplicateForMs })
      const member = await channel.join('g', { credit: 100 })
      const startMs = context.nowMs()
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      const confirmedMs = context.nowMs()
      await member.next()
      // To the millisecond where the clock stands still meanwhile; elsewhere only what is sure.
      if (context.underTest.advance !== undefined) {
        await context.reach(startMs + deduplicateForMs - 1)
        await channel.publish(repeated(sent))
        await context.lull()
        assert.deepEqual(member.waiting, [])
      }
      await context.reach(confirmedMs + deduplicateForMs)
      const again = repeated(sent)
      await channel.publish(again)
      expectSame([await member.next()], [again])
    },
  },
  {
    id: 'dedupe/restart',
    title: 'ids are known over a restart, those of settled records too, and forgotten when their time is over',
    needs: ['deduplication'],
    async run(context) {
      const deduplicateForMs = amplyMs(context)
      const channel = await context.channel({ deduplicateForMs })
      const sent = await channel.publish(...channel.records(50))
      let member = await channel.join('g', { credit: 25 })
      const received = await member.take(25)
      await member.ackAll(received)
      await context.restart()
      await channel.declare(['g'])
      await channel.publish(...sent.map(repeated))
      member = await channel.join('g', { credit: 100, handle: acknowledge })
      const done = new Set(received.map(({ record }) => record.id))
      expectSameSet(
        await member.take(25),
        sent.filter(({ id }) => !done.has(id)),
      )
      await context.lull()
      assert.deepEqual(member.waiting, [])
      if (context.underTest.advance === undefined) return
      await context.restart()
      await channel.declare(['g'])
      await context.reach(context.nowMs() + deduplicateForMs)
      member = await channel.join('g', { credit: 100 })
      const again = await channel.publish(...sent.map(repeated))
      expectSameSet(await member.take(50), again)
    },
  },
  {
    id: 'dedupe/crash',
    title: 'what a crash left unanswered can be published again under its ids: each is stored once',
    needs: ['deduplication', 'crash'],
    async run(context) {
      const channel = await context.channel({ deduplicateForMs: amplyMs(context) })
      const sent = channel.records(200)
      let answered = 0
      for (let at = 0; at < sent.length; at += 10) {
        const answer = context.engine.publish(sent.slice(at, at + 10))
        void answer.then(
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
      await channel.publish(...sent)
      await channel.publish(...sent)
      const member = await channel.join('g', { credit: 500, handle: acknowledge })
      expectSameSet(await member.take(200), sent)
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'dedupe/apart',
    title: 'ids are told apart by every character, and channels by their names; without a window nothing is recognised',
    needs: ['deduplication'],
    async run(context) {
      const deduplicateForMs = amplyMs(context)
      const channel = await context.channel({ deduplicateForMs })
      const other = await context.channel({ deduplicateForMs })
      const plain = await context.channel()
      const ids = ['a', 'A', 'a ', 'ä', 'a\u0308', '1', '01', '🔑', 'x'.repeat(200), `${'x'.repeat(199)}y`]
      for (const each of [channel, other]) {
        const sent = await each.publish(...ids.map((id) => each.record({ id })))
        await each.publish(...sent.map(repeated))
        const member = await each.join('g', { credit: 100 })
        expectSameSet(await member.take(ids.length), sent)
        await context.lull()
        assert.deepEqual(member.waiting, [])
      }
      const [sent] = plain.records(1)
      assert.ok(sent)
      await plain.publish(sent, sent)
      const member = await plain.join('g', { credit: 10 })
      expectSame(await member.take(2), [sent, sent])
    },
  },
  {
    id: 'dedupe/not-stored',
    title: 'what was refused is not remembered',
    needs: ['deduplication'],
    async run(context) {
      const channel = await context.channel({ deduplicateForMs: amplyMs(context) })
      const good = channel.record()
      const outcomes = await channel.tryPublish({ ...good, key: 'k'.repeat(1_025) })
      assert.equal(outcomes[0]?.ok, false)
      await channel.publish(good)
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [good])
    },
  },
  {
    id: 'dedupe/acknowledgement',
    title: 'what an acknowledgement carries is deduplicated as well, and the acknowledgement holds',
    needs: ['deduplication'],
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel({ deduplicateForMs: amplyMs(context) })
      const [known] = await other.publish(other.record())
      assert.ok(known)
      const reader = await other.join('g', { credit: 10 })
      await reader.next()
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(...channel.records(2))
      const [first, second] = await member.take(2)
      assert.ok(first && second)
      const fresh = other.record()
      await member.ack(first, [repeated(known), fresh, repeated(fresh)])
      await member.ack(second, [repeated(fresh)])
      expectSame([await reader.next()], [fresh])
      await context.lull()
      assert.deepEqual(reader.waiting, [])
      await context.restart()
      for (const each of [channel, other]) await each.declare(['g'])
      const again = await channel.join('g', { credit: 10 })
      await context.lull()
      assert.deepEqual(again.waiting, [])
    },
  },
  {
    id: 'dedupe/failed-acknowledgement',
    title: 'what an acknowledgement that failed carried is not remembered',
    needs: ['deduplication', 'atomicSettle'],
    async run(context) {
      const channel = await context.channel()
      const other = await context.channel({ deduplicateForMs: amplyMs(context) })
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(channel.record())
      const received = await member.next()
      const carried = other.record()
      const nowhere = { ...other.record(), channel: context.unique('nowhere') }
      const [outcome] = await member.settle([{ kind: 'ack', tag: received.tag, publish: [carried, nowhere] }])
      expectRefused(outcome, 'NOT_FOUND')
      await member.ack(received, [carried])
      const reader = await other.join('g', { credit: 10 })
      expectSame([await reader.next()], [carried])
    },
  },
  {
    id: 'dedupe/redrive',
    title: 'a record that is addressed to one group is no repetition, published or moved there',
    needs: ['deduplication', 'groupAddress', 'browsing'],
    async run(context) {
      const channel = await context.channel({ deduplicateForMs: amplyMs(context) })
      const dead = await context.channel({ kind: 'queue', groups: [], keyed: false })
      const member = await channel.join('g', { credit: 10 })
      const [sent] = await channel.publish(channel.record())
      assert.ok(sent)
      const received = await member.next()
      await member.ack(received, [dead.record({ ...sent })])
      const redriven = { ...sent, group: 'g' }
      const [letter] = await dead.browseAll()
      assert.ok(letter)
      await dead.browsing.move(dead.name, [{ position: letter.position, publish: [redriven] }])
      expectSame([await member.next()], [sent])
      await channel.publish(redriven)
      expectSame([await member.next()], [sent])
      await channel.publish(repeated(sent))
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'dedupe/scheduled',
    title: 'a scheduled record counts from when it was published',
    needs: ['deduplication', 'delay'],
    async run(context) {
      const { delayMs } = context
      const channel = await context.channel({ deduplicateForMs: delayMs })
      const dueAtMs = context.nowMs() + 2 * delayMs
      const [scheduled] = await channel.publish(channel.record({ dueAtMs }))
      assert.ok(scheduled)
      const confirmedMs = context.nowMs()
      const member = await channel.join('g', { credit: 10 })
      if (context.underTest.advance !== undefined) {
        await channel.publish({ ...repeated(scheduled), dueAtMs: undefined })
        await context.lull()
        assert.deepEqual(member.waiting, [], 'its id is known before it is due')
      }
      await context.reach(confirmedMs + delayMs)
      const again = { ...repeated(scheduled), dueAtMs: undefined }
      await channel.publish(again)
      await context.reach(dueAtMs)
      // On a machine that is busy the scheduled one may be due by now.
      const received = [await member.next(), await member.next()]
      expectSame(received, received[0]?.record.body.length === 1 ? [again, scheduled] : [scheduled, again])
    },
  },
]
