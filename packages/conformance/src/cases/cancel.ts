import assert from 'node:assert/strict'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectSame } from '../expect.ts'

async function cancel(context: CaseContext, channel: string, id: string): Promise<boolean> {
  const { scheduling } = context.engine
  assert.ok(scheduling, 'the case needs scheduling')
  return context.within(scheduling.cancel(channel, id), 'cancel')
}

/** Cancelling must be done before the time comes, on a slow machine too. */
const ampleDelays = 5

/** Taking back what is scheduled. */
export const cancelling: readonly ConformanceCase[] = [
  {
    id: 'cancel/in-time',
    title: 'a record that is cancelled before it is due is never delivered, also after a restart',
    needs: ['delay', 'scheduling'],
    async run(context) {
      const channel = await context.channel()
      const dueAtMs = context.nowMs() + ampleDelays * context.delayMs
      const [dropped, kept] = await channel.publish(...channel.records(2, { dueAtMs }))
      assert.ok(dropped && kept)
      assert.equal(await cancel(context, channel.name, dropped.id), true)
      assert.equal(await cancel(context, channel.name, dropped.id), false, 'it is cancelled once')
      await context.restart()
      await channel.declare(['g'])
      const member = await channel.join('g', { credit: 10 })
      await context.reach(dueAtMs)
      expectSame([await member.next()], [kept])
      await context.lull()
      assert.equal(member.waiting.length, 0)
    },
  },
  {
    id: 'cancel/too-late',
    title: 'what was handed over, was never scheduled or does not exist cannot be cancelled',
    needs: ['delay', 'scheduling'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const dueAtMs = context.nowMs() + ampleDelays * context.delayMs
      const [scheduled, plain] = await channel.publish(channel.record({ dueAtMs }), channel.record())
      assert.ok(scheduled && plain)
      await context.reach(dueAtMs)
      await member.take(2)
      for (const id of [scheduled.id, plain.id, context.unique('nothing')]) {
        assert.equal(await cancel(context, channel.name, id), false)
      }
    },
  },
  {
    id: 'cancel/other-channel',
    title: 'cancelling in one channel leaves the same id in another alone',
    needs: ['delay', 'scheduling'],
    async run(context) {
      const [one, other] = [await context.channel(), await context.channel()]
      const dueAtMs = context.nowMs() + ampleDelays * context.delayMs
      const id = context.unique('same')
      await one.publish(one.record({ id, dueAtMs }))
      const sent = await other.publish(other.record({ id, dueAtMs }))
      assert.equal(await cancel(context, one.name, id), true)
      const member = await other.join('g', { credit: 10 })
      await context.reach(dueAtMs)
      expectSame([await member.next()], sent)
    },
  },
]
