import assert from 'node:assert/strict'
import { notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** What a handler publishes. */
export const busEffects: readonly ConformanceCase[] = [
  {
    id: 'bus-effects/with-success',
    title: 'what a handler publishes leaves when it succeeds, and not when it fails',
    needs: ['delay'],
    async run(context) {
      const [Cause, Effect] = [plainEvent(context), plainEvent(context)]
      const journal = new Journal(context)
      const retry = { immediate: 1, delayed: 3, baseMs: 50 }
      const bus = await startedBus(context, (each) => {
        each.on(Cause, { group: 'g', retry }, async (note, handling) => {
          await handling.publish(Effect, { n: note.n })
          if (handling.attempt <= note.n % 4) throw new Error('after it has published')
        })
        each.on(Effect, { group: 'g', retry: false }, journal.handler())
      })
      const count = 100
      await publishNotes(bus, Cause, notes(count))
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
    },
  },
  {
    id: 'bus-effects/derived-ids',
    title: 'a message that is handled again publishes the same ids again, so that a repetition can be told',
    async run(context) {
      const [Cause, Effect] = [plainEvent(context), plainEvent(context)]
      const effects = new Journal(context)
      const bus = await startedBus(context, (each) => {
        each.on(Cause, { group: 'g', retry: false }, async (note, handling) => {
          for (const n of [0, 1]) await handling.publish(Effect, { n: 2 * note.n + n })
        })
        each.on(Effect, { group: 'g', retry: false }, effects.handler())
      })
      // A producer that did not hear the confirmation sends the same message again.
      for (let repetition = 0; repetition < 2; repetition += 1) {
        for (let n = 0; n < 10; n += 1) await bus.publish(Cause, { n }, { id: `${context.run}-${n}` })
      }
      await effects.reached(40)
      await context.lull()
      for (let n = 0; n < 20; n += 1) {
        const ids = new Set(effects.of(n).map(({ id }) => id))
        assert.deepEqual([effects.of(n).length, ids.size], [2, 1], `the two of ${n} have one id`)
      }
      assert.equal(new Set(effects.runs.map(({ id }) => id)).size, 20, 'and no two messages share one')
    },
  },
  {
    id: 'bus-effects/crash',
    title: 'after a crash in the midst of work every cause has its effects, once where ids are compared',
    needs: ['crash', 'attempts'],
    async run(context) {
      const [Cause, Effect] = [plainEvent(context), plainEvent(context)]
      const count = 200
      const journal = new Journal(context)
      let handled = 0
      const register = (each: Awaited<ReturnType<typeof startedBus>>) => {
        each.on(Cause, { group: 'g', retry: false, concurrency: 4, prefetch: 16 }, async (note, handling) => {
          await handling.publish(Effect, { n: note.n })
          handled += 1
        })
        each.on(Effect, { group: 'g', retry: false, concurrency: 4, prefetch: 16 }, journal.living())
      }
      const first = await startedBus(context, register)
      await publishNotes(first, Cause, notes(count))
      await context.eventually(
        () => handled > 50,
        () => 'some work to be done',
      )
      await journal.crash()
      await startedBus(context, register)
      await journal.complete(count)
      await context.lull()
      const ids = new Map<number, Set<string>>()
      for (const { n, id } of journal.runs) ids.set(n, (ids.get(n) ?? new Set()).add(id))
      assert.ok(
        [...ids.values()].every((each) => each.size === 1),
        'an effect that comes twice has one id',
      )
      // Handled and not yet acknowledged when the process died: these come again, and are counted.
      expectComplete(context, journal.runs, { count, duplicatesMax: 2 * 16 })
    },
  },
]
