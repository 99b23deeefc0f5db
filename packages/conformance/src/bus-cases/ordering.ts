import assert from 'node:assert/strict'
import { retryLater } from '@posthaste/contracts'
import { keyedEvent, notes, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, expectKeyedPairs, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** Which messages fail how often: some of each key, so that failures of one key meet each other. */
const failuresOf = (n: number): number => (n % 7 === 3 ? 1 : n % 11 === 5 ? 2 : 0)

/** Same key, same order, whatever fails. */
export const busOrdering: readonly ConformanceCase[] = [
  {
    id: 'bus-order/retries',
    title: 'keys keep their order while messages fail, are tried again at once and later, and members compete',
    needs: ['keyOrder', 'holdKey', 'delay'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      const tries = new Map<number, number>()
      const retry = { immediate: 1, delayed: 10, baseMs: 50 }
      for (const by of ['one', 'two', 'three']) {
        await startedBus(context, (each) =>
          each.on(Noted, { group: 'g', retry, concurrency: 8, prefetch: 40 }, async (note, handling) => {
            await Promise.resolve()
            const tried = (tries.get(note.n) ?? 0) + 1
            tries.set(note.n, tried)
            if (tried <= failuresOf(note.n)) throw tried === 1 ? new Error('not yet') : retryLater('not yet')
            journal.note(note, handling, by)
          }),
        )
      }
      const sender = await startedBus(context)
      const count = 240
      const all = notes(count, 12)
      for (let at = 0; at < count; at += 40) await publishNotes(sender, Noted, all.slice(at, at + 40))
      await journal.complete(count)
      expectComplete(context, journal.runs, { count })
      expectKeyedPairs(context, journal.runs)
    },
  },
  {
    id: 'bus-order/parked',
    title: 'a key whose message waits for its retry holds no other key, and goes on in order afterwards',
    needs: ['keyOrder', 'holdKey', 'delay'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      let broken = true
      const retry = { immediate: 0, delayed: 1_000, baseMs: context.delayMs, maxMs: context.delayMs }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry, concurrency: 2, prefetch: 4 }, (note, handling) => {
          if (note.n === 0 && broken) throw new Error('database down')
          journal.note(note, handling)
        }),
      )
      await publishNotes(
        bus,
        Noted,
        Array.from({ length: 100 }, (_, n) => ({ n, key: n < 20 ? 'parked' : `k${n % 8}` })),
      )
      const others = () => journal.runs.filter(({ key }) => key !== 'parked').length
      await context.until(
        () => others() === 80,
        () => `the other keys, ${others()} of 80 are done`,
      )
      assert.deepEqual(
        journal.runs.filter(({ key }) => key === 'parked'),
        [],
        'none overtakes',
      )
      broken = false
      await journal.complete(100)
      expectComplete(context, journal.runs, { count: 100 })
      expectKeyedPairs(context, journal.runs)
    },
  },
  {
    id: 'bus-order/dead-letter-frees',
    title: 'a message that ends in the dead letters lets its key go on, from the next one',
    needs: ['keyOrder', 'holdKey', 'delay'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry: { immediate: 0, delayed: 2, baseMs: 50 } }, (note, handling) => {
          if (note.n === 3) throw new Error('never')
          journal.note(note, handling)
        }),
      )
      await publishNotes(bus, Noted, notes(10, 1))
      await journal.reached(9)
      assert.deepEqual(journal.numbers, [0, 1, 2, 4, 5, 6, 7, 8, 9])
      await context.until(
        () => bus.stats()[0]?.deadLettered === 1,
        () => 'the dead letter to be counted',
      )
    },
  },
]
