import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { acknowledge, type Handle, type Member } from '../member.ts'

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
    id: 'attempts/innocent',
    title: 'a record that kills its process each time takes none of those with it that were in hand beside it',
    needs: ['attempts', 'crash'],
    run: (context) => expectInnocent(context, { keyed: false }),
  },
  {
    id: 'attempts/innocent-keyed',
    title: 'a record of a keyed channel that kills its process each time takes none of its neighbours with it',
    needs: ['attempts', 'crash', 'keyOrder'],
    run: (context) => expectInnocent(context, { keyed: true }),
  },
  {
    id: 'attempts/done-before-crash',
    title: 'what was acknowledged at its second attempt is done, also where the process is killed at once',
    needs: ['attempts', 'crash'],
    async run(context) {
      const channel = await context.channel()
      await channel.publish(...channel.records(20))
      const before = await channel.join('g', { credit: 40 })
      for (const delivery of await before.take(20)) await before.release(delivery, { countsAttempt: true })
      const again = await before.take(20)
      assert.deepEqual(new Set(again.map(({ attempt }) => attempt)), new Set([2]))
      await before.ackAll(again)
      await context.crash()
      await channel.declare(['g'])
      const after = await channel.join('g', { credit: 20 })
      await context.lull()
      assert.deepEqual(after.waiting, [])
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

const neighbours = 20
const deaths = 4
/** Most attempts of a record that was only beside: two that ended with the process, and one that ends well. */
const innocentMax = 3
/** How long a process takes before it works on what it was given, in milliseconds: more may come meanwhile. */
const hesitationMs = 50

/** Has a process die whenever it holds one record, until any other would be a dead letter. */
async function expectInnocent(context: CaseContext, { keyed }: { readonly keyed: boolean }): Promise<void> {
  const channel = await context.channel({ keyed })
  const records = channel.records(neighbours, (at) => (keyed ? { key: `k${at % 5}` } : {}))
  const poison = records[neighbours / 2]?.id ?? ''
  const attempts = new Map<string, number>()
  const done = new Set<string>()
  const join = (handle?: Handle) =>
    channel.join('g', {
      credit: neighbours,
      handle,
      watch: ({ record: { id }, attempt }) => void attempts.set(id, Math.max(attempt, attempts.get(id) ?? 0)),
    })

  await channel.publish(...records)
  const first = await join()
  await first.take(neighbours)
  for (let died = 1; ; died += 1) {
    await context.crash()
    await channel.declare(['g'])
    if (died === deaths) break
    await workUpTo(poison, { context, member: await join(), done })
  }
  await join((received) => {
    done.add(received.record.id)
    return acknowledge(received)
  })
  await context.eventually(
    () => done.size === neighbours,
    () => `${neighbours} records to be done, ${done.size} are`,
  )
  assert.equal(attempts.get(poison), deaths + 1, 'what ends its process is counted each time')
  attempts.delete(poison)
  const most = Math.max(...attempts.values())
  assert.ok(most <= innocentMax, `a record that was only beside it came as attempt ${most}`)
}

interface Working {
  readonly context: CaseContext
  readonly member: Member
  readonly done: Set<string>
}

/** Works until it has a record in hand. */
async function workUpTo(id: string, { context, member, done }: Working): Promise<void> {
  for (;;) {
    await context.eventually(
      () => member.unsettled.length > 0,
      () => `${id}, or another`,
      hesitationMs,
    )
    await context.reach(context.nowMs() + hesitationMs)
    const { unsettled } = member
    if (unsettled.some(({ record }) => record.id === id)) return
    for (const { record } of unsettled) done.add(record.id)
    await member.ackAll(unsettled)
    member.grant(unsettled.length)
  }
}
