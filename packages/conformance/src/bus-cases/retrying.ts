import assert from 'node:assert/strict'
import { ignore, reject, retryLater } from '@posthaste/contracts'
import type { Bus } from 'posthaste/bus'
import { newBus, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'

/** The longest wait before the second delivery: long where the clock is virtual. */
const baseMs = (context: CaseContext): number => (context.underTest.advance === undefined ? 100 : 10_000)

/** Waits until a bus's only subscription has counted something. */
async function counted(context: CaseContext, bus: Bus, wanted: { readonly deadLettered: number }): Promise<void> {
  await context.eventually(
    () => (bus.stats()[0]?.deadLettered ?? 0) >= wanted.deadLettered,
    () => `${wanted.deadLettered} dead letters`,
  )
}

/** What follows a failure. */
export const busRetrying: readonly ConformanceCase[] = [
  {
    id: 'bus-ladder/numbers',
    title: 'a failing message is tried at once, then later with growing waits, with one number after the other',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const base = baseMs(context)
      const retry = { immediate: 1, delayed: 3, baseMs: base }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry }, (note, handling) => {
          journal.note(note, handling)
          throw new Error('database down')
        }),
      )
      await bus.publish(Noted, { n: 0 })
      await counted(context, bus, { deadLettered: 1 })
      assert.deepEqual(
        journal.runs.map(({ attempt }) => attempt),
        [1, 2, 3, 4, 5, 6, 7, 8],
      )
      const starts = journal.runs.filter(({ attempt }) => attempt % 2 === 1).map(({ atMs }) => atMs)
      const waits = starts.slice(1).map((atMs, at) => atMs - (starts[at] ?? 0))
      // Half of the ceiling, as the bus was given half for jitter; the ceiling doubles.
      for (const [at, waitMs] of waits.entries()) {
        const leastMs = (base / 2) * 2 ** at
        assert.ok(waitMs >= leastMs, `wait ${at + 1} took ${waitMs} ms, and at least ${leastMs} are promised`)
      }
    },
  },
  {
    id: 'bus-ladder/others-go-on',
    title: 'messages that wait for their retry hold up nobody else, and all are done in the end',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const retry = { immediate: 0, delayed: 5, baseMs: baseMs(context) }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry, concurrency: 2, prefetch: 4 }, (note, handling) => {
          if (note.n % 2 === 0 && handling.attempt === 1) throw new Error('the first time fails')
          journal.note(note, handling)
        }),
      )
      await publishNotes(bus, Noted, notes(60))
      await context.until(
        () => journal.runs.length >= 30,
        () => `those that do not fail, saw ${journal.runs.length}`,
      )
      await journal.complete(60)
      await context.lull()
      expectComplete(context, journal.runs, { count: 60 })
    },
  },
  {
    id: 'bus-ladder/verdicts',
    title: 'a handler’s verdict decides: refused goes to the dead letters, ignored is done, asked later comes later',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry: { immediate: 2, baseMs: 50 } }, (note, handling) => {
          journal.note(note, handling)
          if (note.n === 0) throw reject('not for us')
          if (note.n === 1) throw ignore('old news')
          if (note.n === 2 && handling.attempt === 1) return retryLater('not yet', { afterMs: context.delayMs })
          return undefined
        }),
      )
      const startMs = context.nowMs()
      await publishNotes(bus, Noted, notes(3))
      await journal.reached(4)
      await counted(context, bus, { deadLettered: 1 })
      assert.deepEqual(
        [0, 1, 2].map((n) => journal.of(n).length),
        [1, 1, 2],
      )
      assert.ok((journal.of(2)[1]?.atMs ?? 0) >= startMs + context.delayMs, 'not before the time that was asked for')
      const stats = bus.stats()[0]
      assert.deepEqual([stats?.ignored, stats?.deadLettered], [1, 1])
    },
  },
  {
    id: 'bus-attempts/crash',
    title: 'a message that kills the process each time ends in the dead letters, and its neighbours are handled',
    needs: ['attempts', 'crash', 'browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const begun: number[] = []
      const settings = { group: 'g', retry: false, concurrency: 1, prefetch: 1 } as const
      let bus = newBus(context)
      for (let life = 0; life < 6; life += 1) {
        const runs = begun.length
        if (life > 0) bus = newBus(context)
        // The process dies while the handler runs: nothing is closed, and nothing is settled.
        bus.on(Noted, settings, (note, handling) => {
          if (note.n !== 0) return void journal.note(note, handling)
          begun.push(handling.attempt)
          return new Promise(() => {})
        })
        await context.through(bus.start(), 'the start of the bus')
        if (life === 0) await publishNotes(bus, Noted, notes(5))
        const dead = () => bus.stats()[0]?.deadLettered === 1
        await context.eventually(
          () => begun.length > runs || dead(),
          () => 'the killer to run or to be given up',
        )
        if (dead()) break
        await context.crash()
      }
      const { letters } = await bus.deadLetters(Noted, { group: 'g' }).browse()
      assert.deepEqual(
        letters.map(({ code, attempts }) => [code, attempts]),
        [['ATTEMPTS_EXHAUSTED', begun.length + 1]],
      )
      assert.deepEqual(
        begun,
        begun.map((_, at) => at + 1),
        'each crash counts once',
      )
      await context.eventually(
        () => new Set(journal.numbers).size === 4,
        () => 'the neighbours',
      )
      context.count('crashes', begun.length)
    },
  },
]
