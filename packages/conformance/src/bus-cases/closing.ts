import assert from 'node:assert/strict'
import type { Bus } from 'posthaste/bus'
import { closeBus, keyedEvent, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, expectKeyedPairs, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** The end of a bus, and of the engine below it. */
export const busClosing: readonly ConformanceCase[] = [
  {
    id: 'bus-close/uncounted',
    title: 'a close hands back what has not ended, without counting an attempt and without a dead letter',
    async run(context) {
      const Noted = plainEvent(context)
      const seen: number[] = []
      const settings = { group: 'g', retry: false, concurrency: 2 } as const
      for (let deploy = 0; deploy < 5; deploy += 1) {
        const before = seen.length
        const bus = await startedBus(context, (each) =>
          each.on(Noted, settings, (_, { attempt, signal }) => {
            seen.push(attempt)
            return new Promise((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
          }),
        )
        if (deploy === 0) await publishNotes(bus, Noted, notes(6))
        await context.eventually(
          () => seen.length >= before + 2,
          () => 'two handlers to run',
        )
        await closeBus(context, bus)
        const [stats] = bus.stats()
        assert.deepEqual([stats?.deadLettered, stats?.running], [0, 0])
        // Every other deploy restarts the engine as well.
        if (deploy % 2 === 1) await context.restart()
      }
      assert.deepEqual(
        seen,
        seen.map(() => 1),
        'a hand-back is no attempt',
      )
      const journal = new Journal(context)
      await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      await journal.complete(6)
      await context.lull()
      expectComplete(context, journal.runs, { count: 6 })
      assert.ok(journal.runs.every(({ attempt }) => attempt === 1))
    },
  },
  {
    id: 'bus-close/under-load',
    title: 'a close under load lets running handlers end, answers every publish, and loses and repeats nothing',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const settings = { group: 'g', retry: false, concurrency: 4, prefetch: 50 } as const
      const register = (bus: Bus) =>
        bus.on(Noted, settings, async (note, handling) => {
          await new Promise<void>((resolve) => setImmediate(resolve))
          journal.note(note, handling)
        })
      const count = context.scaled(600)
      const first = await startedBus(context, register)
      const confirmed = new Set<number>()
      const calls = notes(count).map((note) =>
        first.publish(Noted, note).then(
          () => void confirmed.add(note.n),
          () => {},
        ),
      )
      await journal.reached(20)
      await closeBus(context, first, 60_000)
      await context.within(Promise.allSettled(calls), 'publishing while the bus closes')
      await startedBus(context, register)
      await context.eventually(
        () => [...confirmed].every((n) => journal.of(n).length > 0),
        () => `${confirmed.size} confirmed messages, saw ${journal.runs.length}`,
      )
      await context.lull()
      expectComplete(context, journal.runs, { count: Math.max(confirmed.size, new Set(journal.numbers).size) })
    },
  },
  {
    id: 'bus-restart/in-mid-load',
    title: 'an engine that is restarted in the midst of load loses nothing confirmed and keeps the order of keys',
    needs: ['keyOrder', 'holdKey', 'delay'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      const settings = { group: 'g', concurrency: 4, prefetch: 20, retry: { immediate: 0, baseMs: 10 } } as const
      const register = (bus: Bus) =>
        bus.on(Noted, settings, (note, handling) => {
          if (note.n % 17 === 4 && handling.attempt === 1) throw new Error('the first time fails')
          journal.note(note, handling)
        })
      const count = context.scaled(300)
      const rounds = 3
      for (let round = 0; round < rounds; round += 1) {
        const bus = await startedBus(context, register)
        const share = notes(count, 6).filter(({ n }) => n % rounds === round)
        const already = new Set(journal.numbers).size
        await publishNotes(
          bus,
          Noted,
          share.map((note, at) => ({ ...note, n: (round * count) / rounds + at })),
        )
        await journal.reached(already + 10)
        await closeBus(context, bus)
        await context.restart()
      }
      await startedBus(context, register)
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
      expectKeyedPairs(context, journal.runs)
    },
  },
  {
    id: 'bus-restart/crash-in-mid-load',
    title:
      'an engine that is killed in the midst of load loses nothing confirmed, and repeats what was in flight at most',
    needs: ['crash', 'attempts'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const prefetch = 20
      const register = (bus: Bus) =>
        bus.on(Noted, { group: 'g', concurrency: 4, prefetch, retry: false }, journal.living())
      const count = context.scaled(400)
      const crashes = 2
      const first = await startedBus(context, register)
      await publishNotes(first, Noted, notes(count))
      for (let crash = 1; crash <= crashes; crash += 1) {
        await journal.reached((crash * count) / 8)
        await journal.crash()
        await startedBus(context, register)
      }
      await journal.complete(count)
      await context.lull()
      context.count('crashes', crashes)
      expectComplete(context, journal.runs, { count, duplicatesMax: crashes * prefetch })
    },
  },
]
