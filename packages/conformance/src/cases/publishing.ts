import assert from 'node:assert/strict'
import type { Engine, OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectAtLeast, expectKeyOrder, expectRefused, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

/** Publishes without waiting for answers; what is confirmed is noted as the answers come, and failed calls are not. */
function publishAtOnce(engine: Engine, batches: readonly (readonly OutgoingRecord[])[]) {
  const confirmed: OutgoingRecord[] = []
  const note = async (batch: readonly OutgoingRecord[]) => {
    const outcomes = await engine.publish(batch)
    confirmed.push(...batch.filter((_, at) => outcomes[at]?.ok))
  }
  const answered = Promise.allSettled(batches.map(note))
  return { confirmed, answered }
}

/** What becomes of records between `publish` and the first delivery. */
export const publishing: readonly ConformanceCase[] = [
  {
    id: 'publish/delivered',
    title: 'a published record reaches a group, whole and with attempt 1',
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 100 })
      const beforeMs = context.nowMs()
      const [sent] = await channel.publish(channel.record({ key: 'k', expiresAtMs: beforeMs + 86_400_000 }))
      assert.ok(sent)
      const received = await member.next()
      expectSame([received], [sent])
      assert.equal(received.attempt, 1)
      assert.ok(received.position.length > 0, 'a delivery says where its record stands')
      const skewMs = 60_000
      assert.ok(Math.abs(received.storedAtMs - beforeMs) < skewMs, 'a delivery says when its record was stored')
    },
  },
  {
    id: 'publish/survives-restart',
    title: 'confirmed records survive a restart',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(100, (at) => ({ key: `k${at % 3}` })))
      await context.restart()
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 200 })
      const received = await member.take(100)
      expectSameSet(received, sent)
      expectKeyOrder(received, sent)
      await member.ackAll(received)
    },
  },
  {
    id: 'publish/survives-crash',
    title: 'confirmed records survive a crash',
    needs: ['crash'],
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(100, (at) => ({ key: `k${at % 3}` })))
      await context.crash()
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 200, handle: acknowledge })
      expectSameSet(await member.take(100), sent)
    },
  },
  {
    id: 'publish/crash-under-load',
    title: 'a crash in the midst of publishing loses nothing confirmed and invents nothing',
    needs: ['crash'],
    async run(context) {
      const channel = await context.channel()
      const batches = Array.from({ length: 50 }, () => channel.records(10))
      const { confirmed } = publishAtOnce(context.engine, batches)
      await context.until(
        () => confirmed.length > 0,
        () => 'the first confirmation',
      )
      await context.crash()
      await channel.declare(['g'])
      const sent = batches.flat()
      const member = await channel.join('g', { credit: sent.length, handle: acknowledge })
      const got = () => new Set(member.received.map(({ record }) => record.id))
      await context.until(
        () => confirmed.every(({ id }) => got().has(id)),
        () => 'every confirmed record',
      )
      const known = new Set(sent.map(({ id }) => id))
      assert.deepEqual(
        [...got()].filter((id) => !known.has(id)),
        [],
        'nothing but what was published',
      )
    },
  },
  {
    id: 'publish/order-of-calls',
    title: 'records keep the order of the calls, also while earlier calls are under way',
    needs: ['keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const sent = channel.records(context.scaled(1_000), (at) => ({ key: `k${at % 3}` }))
      const calls: Promise<unknown>[] = []
      for (let at = 0, size = 1; at < sent.length; at += size, size = (size % 7) + 1) {
        calls.push(channel.publish(...sent.slice(at, at + size)))
      }
      await Promise.all(calls)
      const member = await channel.join('g', { credit: sent.length })
      expectKeyOrder(await member.take(sent.length), sent)
    },
  },
  {
    id: 'publish/outcome-per-record',
    title: 'a batch is answered record by record: what cannot be stored does not harm its neighbours',
    async run(context) {
      const channel = await context.channel()
      const nowhere = { ...channel.record(), channel: context.unique('nowhere') }
      const sent = channel.records(3)
      const [first, second, third] = sent
      assert.ok(first && second && third)
      const outcomes = await channel.tryPublish(first, nowhere, second, nowhere, third)
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, true, false, true],
      )
      expectRefused(outcomes[1], 'NOT_FOUND')
      expectRefused(outcomes[3], 'NOT_FOUND')
      const member = await channel.join('g', { credit: 10 })
      expectSameSet(await member.take(3), sent)
    },
  },
  {
    id: 'publish/nothing',
    title: 'an empty batch is answered with no outcomes',
    async run(context) {
      const channel = await context.channel()
      assert.deepEqual(await channel.tryPublish(), [])
    },
  },
  {
    id: 'publish/repetition',
    title: 'a record that is published again under its id is delivered again',
    async run(context) {
      const channel = await context.channel()
      const record = channel.record()
      await channel.publish(record)
      await channel.publish(record)
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(2), [record, record])
    },
  },
  {
    id: 'publish/isolation',
    title: 'channels do not mix',
    async run(context) {
      const channels = await Promise.all(Array.from({ length: 5 }, () => context.channel()))
      const members = await Promise.all(channels.map((channel) => channel.join('g', { credit: 100 })))
      const sent = await Promise.all(channels.map((channel) => channel.publish(...channel.records(20))))
      for (const [at, member] of members.entries()) expectSameSet(await member.take(20), sent[at] ?? [])
      await context.lull()
      assert.deepEqual(
        members.map(({ received }) => received.length),
        [20, 20, 20, 20, 20],
      )
    },
  },
  {
    id: 'publish/volume',
    title: 'fifty members share what fifty publishers send at the same time, each record once',
    async run(context) {
      const channel = await context.channel({ kind: 'queue' })
      const size = context.scaled(100)
      const members = await Promise.all(
        Array.from({ length: 50 }, () => channel.join('g', { credit: 20, handle: acknowledge })),
      )
      const batches = Array.from({ length: 50 }, () => channel.records(size, (at) => ({ key: `k${at % 40}` })))
      await Promise.all(batches.map((batch) => channel.publish(...batch)))
      const count = () => members.reduce((sum, { received }) => sum + received.length, 0)
      await context.until(
        () => count() >= 50 * size,
        () => `${50 * size} deliveries, got ${count()}`,
      )
      await context.lull()
      expectSameSet(
        members.flatMap(({ received }) => received),
        batches.flat(),
      )
    },
  },
  {
    id: 'publish/close-under-load',
    title: 'a close in the midst of publishing answers every call and loses nothing confirmed',
    async run(context) {
      const channel = await context.channel()
      const sent = Array.from({ length: 40 }, () => channel.records(10))
      const { confirmed, answered } = publishAtOnce(context.engine, sent)
      await context.restart()
      await context.within(answered, 'publishing while the engine closes')
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 400, handle: acknowledge })
      const got = () => new Set(member.received.map(({ record }) => record.id))
      await context.until(
        () => confirmed.every(({ id }) => got().has(id)),
        () => `${confirmed.length} confirmed records, got ${got().size}`,
      )
      expectAtLeast(
        member.received,
        sent.flat().filter(({ id }) => got().has(id)),
      )
    },
  },
]
