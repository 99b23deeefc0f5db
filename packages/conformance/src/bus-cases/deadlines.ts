import assert from 'node:assert/strict'
import { command, PosthasteError } from '@posthaste/contracts'
import { anything, type Note, plainEvent, startedBus } from '../bus/bus.ts'
import type { ConformanceCase } from '../case.ts'
import { expectRejection } from '../expect.ts'

/** Time for members to join on a busy machine, in milliseconds. */
const settlingMs = 20_000

/** Work that has a time to be done by. */
export const busDeadlines: readonly ConformanceCase[] = [
  {
    id: 'bus-deadline/attempt',
    title: 'an attempt that takes longer than it may is told to stop by its signal, counts, and is tried again',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const reasons: unknown[] = []
      const attempts: number[] = []
      const timeoutMs = context.underTest.advance === undefined ? 200 : 20_000
      const options = { group: 'g', timeoutMs, retry: { immediate: 0, delayed: 3, baseMs: 10 } }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, options, async (_, { attempt, signal }) => {
          attempts.push(attempt)
          if (attempt > 1) return
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
          reasons.push(signal.reason)
        }),
      )
      await bus.publish(Noted, { n: 0 })
      await context.eventually(
        () => attempts.length === 2 && bus.stats()[0]?.acked === 1,
        () => 'the second attempt',
      )
      assert.deepEqual(attempts, [1, 2])
      assert.ok(PosthasteError.is(reasons[0], 'DEADLINE_EXCEEDED'), String(reasons[0]))
    },
  },
  {
    id: 'bus-deadline/travels',
    title:
      'a request’s deadline travels with it: its handler sees it and is told when it passes, and nobody begins it later',
    needs: ['temporaryGroups', 'groupAddress'],
    async run(context) {
      const Asked = command(context.unique('question'), { data: anything<Note>(), reply: anything<Note>() })
      const begun: number[] = []
      const aborted: unknown[] = []
      const deadlines: number[] = []
      const timeoutMs = context.underTest.advance === undefined ? 2_000 : 20_000
      await startedBus(context, (each) =>
        each.handle(Asked, { retry: false, concurrency: 1 }, async (note, { signal, deadlineAtMs }) => {
          if (note.n < 0) return note
          begun.push(note.n)
          deadlines.push(deadlineAtMs)
          await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))
          aborted.push(signal.reason)
          return note
        }),
      )
      const asker = await startedBus(context)
      // From here on both are members of their groups, however long that took.
      await context.through(asker.request(Asked, { n: -1 }, { timeoutMs: settlingMs }), 'the first answer')
      const beganAtMs = context.clock.monotonicMs()
      const first = context.begun(
        expectRejection(() => asker.request(Asked, { n: 0 }, { timeoutMs }), 'DEADLINE_EXCEEDED'),
      )
      await context.until(
        () => begun.length === 1,
        () => 'the handler to begin',
      )
      // Waits behind the first, until nobody awaits its answer any more.
      const second = context.begun(
        expectRejection(() => asker.request(Asked, { n: 1 }, { timeoutMs: timeoutMs / 8 }), 'DEADLINE_EXCEEDED'),
      )
      await context.lull()
      await context.reach(context.nowMs() + timeoutMs)
      await context.through(Promise.all([first, second]), 'the timeouts')
      await context.eventually(
        () => aborted.length === 1,
        () => 'the handler to be told',
      )
      await context.lull()
      assert.deepEqual(begun, [0], 'what nobody awaits is not begun')
      const slackMs = 100
      assert.ok((deadlines[0] ?? Infinity) <= context.clock.monotonicMs() + slackMs, 'the handler knew the deadline')
      assert.ok((deadlines[0] ?? 0) >= beganAtMs, 'which was to come')
    },
  },
]
