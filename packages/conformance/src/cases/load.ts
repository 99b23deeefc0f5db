import assert from 'node:assert/strict'
import type { Outcome, OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectSameSet } from '../expect.ts'
import { acknowledge, type Member } from '../member.ts'
import { turn } from '../pacing.ts'

const batchSize = 25

/** Publishes in small batches, and again what fails to be confirmed, as a core would. */
class Publisher {
  readonly confirmed = new Set<string>()
  readonly #context: CaseContext
  #runs = 0

  constructor(context: CaseContext) {
    this.#context = context
  }

  /** Publishes what of these is not confirmed yet, until it is done or halted. */
  async run(records: readonly OutgoingRecord[]): Promise<void> {
    const run = this.#runs
    for (let at = 0; at < records.length; at += batchSize) {
      let left = records.slice(at, at + batchSize)
      for (;;) {
        left = left.filter(({ id }) => !this.confirmed.has(id))
        if (left.length === 0) break
        const outcomes = await this.#context.engine.publish(left).catch(() => [])
        if (run !== this.#runs) return
        this.#note(left, outcomes)
        await turn()
      }
    }
  }

  /** Ends what runs: like a process that is killed it takes no answers any more. */
  halt(): void {
    this.#runs += 1
  }

  #note(batch: readonly OutgoingRecord[], outcomes: readonly Outcome[]): void {
    for (const [at, outcome] of outcomes.entries()) if (outcome.ok) this.confirmed.add(batch[at]?.id ?? '')
  }
}

const join = (channel: TestChannel, count: number): Promise<readonly Member[]> =>
  Promise.all(Array.from({ length: count }, () => channel.join('g', { credit: 10, handle: acknowledge })))

const idsOf = (members: readonly Member[]) => members.flatMap(({ received }) => received.map(({ record }) => record.id))

/** Restarts or crashes the engine in the midst of publishing and consuming, and finds everything afterwards. */
async function interrupt(context: CaseContext, how: 'restart' | 'crash'): Promise<void> {
  const channel = await context.channel()
  const count = context.scaled(2_000)
  const sent = channel.records(count, (at) => ({ key: `k${at % 30}` }))
  const publisher = new Publisher(context)
  const seen: string[] = []
  let members = await join(channel, 8)
  for (let part = 0; part < 4; part += 1) {
    const records = sent.slice((part * count) / 4, ((part + 1) * count) / 4)
    const before = publisher.confirmed.size
    void publisher.run(records)
    await context.until(
      () => publisher.confirmed.size >= before + records.length / 3,
      () => 'some records to be confirmed',
    )
    publisher.halt()
    await context[how]()
    seen.push(...idsOf(members))
    await channel.declare(['g'])
    members = await join(channel, 8)
    await context.within(publisher.run(records), 'publishing')
  }
  const got = () => new Set([...seen, ...idsOf(members)])
  await context.until(
    () => got().size >= count,
    () => `${count} records, got ${got().size}`,
  )
  await context.lull()
  const deliveries = [...seen, ...idsOf(members)]
  const known = new Set(sent.map(({ id }) => id))
  assert.ok(
    deliveries.every((id) => known.has(id)),
    'nothing is invented',
  )
  context.count(`duplicates after a ${how}`, deliveries.length - got().size)
  context.count(`records around a ${how}`, count)
}

/** Much of everything at the same time. */
export const load: readonly ConformanceCase[] = [
  {
    id: 'load/concurrent',
    title: '5,000 records go to 50 members while they are published, and none of them twice',
    async run(context) {
      const channel = await context.channel()
      const count = context.scaled(5_000)
      const members = await join(channel, 50)
      const sent = channel.records(count, (at) => (at % 3 === 0 ? {} : { key: `k${at % 100}` }))
      await new Publisher(context).run(sent)
      const received = () => members.flatMap((member) => member.received)
      await context.until(
        () => received().length >= count,
        () => `${count} deliveries, got ${received().length}`,
      )
      await context.lull()
      expectSameSet(received(), sent)
      context.count('duplicates without a fault', received().length - count)
    },
  },
  {
    id: 'load/restart',
    title: 'an engine that is restarted again and again under load loses nothing',
    async run(context) {
      await interrupt(context, 'restart')
    },
  },
  {
    id: 'load/crash',
    title: 'an engine that is killed again and again under load loses nothing',
    needs: ['crash'],
    async run(context) {
      await interrupt(context, 'crash')
    },
  },
  {
    id: 'load/close-with-work',
    title: 'a close answers every settlement under way: what it answered with ok is done, the rest comes again',
    async run(context) {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(400, (at) => ({ key: `k${at % 40}` })))
      const member = await channel.join('g', { credit: 400 })
      const received = await member.take(400)
      const done = new Set<string>()
      const settling = received.slice(0, 300).map(async ({ tag, record }) => {
        const [outcome] = await member.settle([{ kind: 'ack', tag }]).catch(() => [])
        if (outcome?.ok) done.add(record.id)
      })
      await context.restart()
      await context.within(Promise.all(settling), 'settling while the engine closes')
      await channel.declare(['g'])
      const again = await channel.join('g', { credit: 400, handle: acknowledge })
      const left = sent.filter(({ id }) => !done.has(id))
      await context.until(
        () => left.every(({ id }) => idsOf([again]).includes(id)),
        () => `${left.length} records to come again, got ${again.received.length}`,
      )
      await context.lull()
      assert.deepEqual(
        idsOf([again]).filter((id) => done.has(id)),
        [],
        'what is done stays done',
      )
    },
  },
  {
    id: 'load/slow-consumer',
    title: 'a slow member holds no more than its credit, holds up neither publishers nor other groups, and gets it all',
    async run(context) {
      const channel = await context.channel({ groups: ['slow', 'fast'] })
      const count = context.scaled(4_000)
      const slow = await channel.join('slow', { credit: 5 })
      const fast = await channel.join('fast', { credit: 100, handle: acknowledge })
      const sent = channel.records(count, (at) => ({ key: `k${at % 50}`, body: new Uint8Array(1_000) }))
      await new Publisher(context).run(sent)
      expectSameSet(await fast.take(count), sent)
      await context.lull()
      assert.equal(slow.received.length, 5)
      if (context.engine.lag !== undefined) {
        assert.deepEqual(await channel.lag('slow'), { ready: count, waiting: 0, inFlight: 5 })
      }
      await slow.stop()
      const helper = await channel.join('slow', { credit: 100, handle: acknowledge })
      expectSameSet(await helper.take(count), sent)
    },
  },
  {
    id: 'load/resubscribe',
    title: 'members that leave and join again all the time while records are published lose and repeat nothing',
    async run(context) {
      const channel = await context.channel()
      const count = context.scaled(1_000)
      const sent = channel.records(count, (at) => ({ key: `k${at % 20}` }))
      const publishing = new Publisher(context).run(sent)
      const done: OutgoingRecord[] = []
      const visitor = async (): Promise<void> => {
        while (done.length < count) {
          const member = await channel.join('g', { credit: 40 })
          await context.until(
            () => member.unsettled.length > 0 || done.length >= count,
            () => `anything for ${member.name}, ${done.length} are done`,
          )
          const some = member.unsettled.slice(0, 30)
          await member.ackAll(some)
          done.push(...some.map(({ record }) => record))
          await member.stop()
        }
      }
      await Promise.all([publishing, visitor(), visitor(), visitor()])
      assert.deepEqual(done.map(({ id }) => id).sort(), sent.map(({ id }) => id).sort())
    },
  },
]
