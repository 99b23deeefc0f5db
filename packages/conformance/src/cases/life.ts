import assert from 'node:assert/strict'
import type { DeliverySink, OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectRejection, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge } from '../member.ts'

const noSink: DeliverySink = { deliver() {}, lost() {}, closed() {} }

/** Joining, leaving, closing. That nothing is delivered afterwards is checked in every case. */
export const life: readonly ConformanceCase[] = [
  {
    id: 'life/stop',
    title: 'a member that leaves hands back what it has not settled, and may leave twice',
    async run(context) {
      const channel = await context.channel()
      const first = await channel.join('g', { credit: 10 })
      const sent = await channel.publish(...channel.records(10, { key: 'k' }))
      const received = await first.take(10)
      await first.ackAll(received.slice(0, 3))
      await first.stop()
      await first.stop()
      const second = await channel.join('g', { credit: 10 })
      expectSame(await second.take(7), sent.slice(3))
    },
  },
  {
    id: 'life/resubscribe',
    title: 'a backlog that is read by one short-lived member after another is read whole, once',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(context.scaled(1_000), (at) => ({ key: `k${at % 9}` })))
      const acked: OutgoingRecord[] = []
      while (acked.length < sent.length) {
        const member = await channel.join('g', { credit: 130 })
        const count = Math.min(100, sent.length - acked.length)
        const received = await member.take(count)
        await member.ackAll(received)
        acked.push(...received.map(({ record }) => record))
        await member.stop()
      }
      assert.deepEqual(acked.map(({ id }) => id).sort(), sent.map(({ id }) => id).sort())
    },
  },
  {
    id: 'life/come-and-go',
    title: 'members that come and go at the same time lose nothing',
    async run(context) {
      const channel = await context.channel({ kind: 'queue' })
      const done = new Set<string>()
      const sent = channel.records(context.scaled(600), (at) => ({ key: `k${at % 11}` }))
      const publishing = (async () => {
        for (let at = 0; at < sent.length; at += 20) await channel.publish(...sent.slice(at, at + 20))
      })()
      const visitor = async (rounds: number) => {
        for (let round = 0; round < rounds; round += 1) {
          const member = await channel.join('g', { credit: 10 })
          await context.until(
            () => member.waiting.length > 0 || done.size === sent.length,
            () => `anything for ${member.name}, ${done.size} are done`,
          )
          const some = member.unsettled.slice(0, 3)
          await member.ackAll(some)
          for (const { record } of some) done.add(record.id)
          await member.stop()
        }
      }
      await Promise.all([publishing, ...Array.from({ length: 6 }, (_, at) => visitor(3 + at))])
      const last = await channel.join('g', { credit: 100, handle: acknowledge })
      const left = sent.filter(({ id }) => !done.has(id))
      expectSameSet(await last.take(left.length), left)
    },
  },
  {
    id: 'life/closed',
    title: 'a closed engine refuses every call with ENGINE_CLOSED, closes again without harm, and delivers nothing',
    async run(context) {
      const channel = await context.channel()
      const { engine, underTest } = context
      const member = await channel.join('g', { credit: 10 })
      await channel.publish(...channel.records(3))
      const { tag } = await member.next()
      await context.close()
      await engine.close()
      const spec = { channel: channel.name, group: 'g', member: 'late' }
      await expectRejection(() => engine.publish([channel.record()]), 'ENGINE_CLOSED')
      await expectRejection(() => engine.declare({ channels: [], groups: [] }), 'ENGINE_CLOSED')
      await expectRejection(() => engine.subscribe(spec, noSink), 'ENGINE_CLOSED')
      const answers = await member.settle([{ kind: 'ack', tag }]).catch(() => [{ ok: false }])
      assert.deepEqual(
        answers.map(({ ok }) => ok),
        [false],
        'nothing is settled on a closed engine',
      )
      await underTest.restart()
      await channel.declare(['g'])
      const again = await channel.join('g', { credit: 10 })
      await again.take(3)
    },
  },
  {
    id: 'life/unsettled-at-close',
    title: 'what is in flight when the engine closes is there again when it opens, as attempt 1',
    async run(context) {
      const channel = await context.channel({ groups: ['a', 'b'] })
      const sent = await channel.publish(...channel.records(20, (at) => ({ key: `k${at % 4}` })))
      for (const group of ['a', 'b']) await (await channel.join(group, { credit: 10 })).take(10)
      await context.restart()
      await channel.declare(['a', 'b'])
      for (const group of ['a', 'b']) {
        const member = await channel.join(group, { credit: 100 })
        const received = await member.take(20)
        expectSameSet(received, sent)
        if (context.capabilities.attempts === 'exact') assert.ok(received.every(({ attempt }) => attempt === 1))
      }
    },
  },
  {
    id: 'life/restarts',
    title: 'state stays whole over many restarts with work between them',
    async run(context) {
      const channel = await context.channel()
      const done: string[] = []
      const sent: string[] = []
      for (let round = 0; round < 8; round += 1) {
        await channel.declare(['g'])
        const batch = await channel.publish(...channel.records(25, (at) => ({ key: `k${at % 3}` })))
        sent.push(...batch.map(({ id }) => id))
        const member = await channel.join('g', { credit: 100 })
        const received = await member.take(sent.length - done.length)
        const some = received.slice(0, 20)
        await member.ackAll(some)
        done.push(...some.map(({ record }) => record.id))
        await context.restart()
      }
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 100, handle: acknowledge })
      const rest = await member.take(sent.length - done.length)
      assert.deepEqual([...done, ...rest.map(({ record }) => record.id)].sort(), [...sent].sort())
    },
  },
]
