import assert from 'node:assert/strict'
import type { Resolution } from 'posthaste/bus'
import { closeBus, notes, plainEvent, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** Messages in two steps. */
export const busPreparing: readonly ConformanceCase[] = [
  {
    id: 'bus-prepared/decisions',
    title: 'a prepared message is seen by nobody until it is committed, and never when it is rolled back',
    needs: ['preparing'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const prepared = await Promise.all(
        Array.from({ length: 20 }, (_, n) =>
          bus.prepare(Noted, { n: Math.floor(n / 2) }, { checkAfterMs: 1_000_000_000 }),
        ),
      )
      await context.lull()
      assert.deepEqual(journal.numbers, [], 'nothing is seen before the decision')
      await Promise.all(prepared.map((each, n) => (n % 2 === 0 ? each.commit() : each.rollback())))
      await journal.complete(10)
      await context.lull()
      expectComplete(context, journal.runs, { count: 10 })
    },
  },
  {
    id: 'bus-prepared/asked-back',
    title: 'whoever died before deciding is asked back, with growing waits, until there is an answer',
    needs: ['preparing'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const questions: { readonly n: number; readonly checks: number; readonly atMs: number }[] = []
      const first = await startedBus(context, (each) => each.on(Noted, settings, () => {}))
      const checkAfterMs = Math.min(context.delayMs, 60_000)
      const preparedAtMs: number[] = []
      for (const { n } of notes(4)) {
        preparedAtMs.push(context.nowMs())
        await first.prepare(Noted, { n }, { checkAfterMs })
      }
      await closeBus(context, first)
      await context.restart()
      const answers: readonly Resolution[] = ['commit', 'rollback', 'unknown', 'commit']
      const bus = await startedBus(context, (each) => {
        each.on(Noted, settings, journal.handler())
        const backoff = { baseMs: checkAfterMs, maxMs: 100 * checkAfterMs }
        each.onUnresolved(Noted, { backoff, checksMax: 3 }, ({ data, checks }) => {
          questions.push({ n: data.n, checks, atMs: context.nowMs() })
          return answers[data.n] ?? 'unknown'
        })
      })
      await context.eventually(
        () => journal.runs.length >= 2 && questions.filter(({ n }) => n === 2).length >= 3,
        () => `answers and questions, saw ${questions.length}`,
      )
      await context.lull()
      assert.deepEqual([...journal.numbers].sort(), [0, 3])
      assert.deepEqual(
        questions.filter(({ n }) => n === 2).map(({ checks }) => checks),
        [0, 1, 2],
      )
      assert.ok(
        questions.every(({ n, atMs }) => atMs >= (preparedAtMs[n] ?? Infinity) + checkAfterMs - 1),
        'nobody is asked before the time',
      )
      // The one that nobody could decide is there for people.
      const left = await bus.prepared(Noted).list()
      assert.deepEqual(
        left.map(({ data }) => data?.n),
        [2],
      )
    },
  },
]
