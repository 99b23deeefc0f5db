import assert from 'node:assert/strict'
import { notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** Repetitions that are told, and messages that go before others. */
export const busRecognising: readonly ConformanceCase[] = [
  {
    id: 'bus-dedupe/window',
    title: 'a message that is published again under its id within the window is confirmed and handled once',
    needs: ['deduplication'],
    async run(context) {
      const windowMs = Math.min(100 * context.delayMs, context.capabilities.deduplicateForMsMax)
      const Noted = plainEvent(context, { deduplicateForMs: windowMs })
      const journal = new Journal(context)
      let bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const publishAll = async () => {
        await Promise.all(notes(100).map((note) => bus.publish(Noted, note, { id: `${context.run}-${note.n}` })))
      }
      await publishAll()
      await publishAll()
      await context.through(bus.close(), 'the close')
      await context.restart()
      bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      await publishAll()
      await journal.complete(100)
      await context.lull()
      expectComplete(context, journal.runs, { count: 100 })
      context.count('repetitions recognised', 200)
    },
  },
  {
    id: 'bus-dedupe/not-asked',
    title: 'a contract that does not ask for it recognises nothing: each confirmed publish is handled',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      for (let time = 0; time < 3; time += 1) await bus.publish(Noted, { n: 0 }, { id: context.run })
      await journal.reached(3)
      assert.equal(journal.runs.length, 3)
    },
  },
  {
    id: 'bus-priority/first',
    title: 'of what is ready the highest priority is handled first, and each level in its order',
    needs: ['priorities'],
    async run(context) {
      const Noted = plainEvent(context, { priorities: 3 })
      const journal = new Journal(context)
      const declared = await startedBus(context, (each) => each.on(Noted, settings, () => {}))
      await context.through(declared.close(), 'the close')
      const sender = await startedBus(context)
      const count = 90
      for (let n = 0; n < count; n += 1) await sender.publish(Noted, { n }, { priority: n % 3 })
      const options = { ...settings, concurrency: 1, prefetch: 1 } as const
      await startedBus(context, (each) => each.on(Noted, options, journal.handler()))
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
      const expected = [2, 1, 0].flatMap((level) =>
        notes(count)
          .map(({ n }) => n)
          .filter((n) => n % 3 === level),
      )
      assert.deepEqual(journal.numbers, expected)
    },
  },
  {
    id: 'bus-priority/overtakes',
    title: 'an urgent message overtakes a backlog that is being handled',
    needs: ['priorities'],
    async run(context) {
      const Noted = plainEvent(context, { priorities: 2 })
      const journal = new Journal(context)
      let urgent: Promise<unknown> | undefined
      const options = { ...settings, concurrency: 1, prefetch: 10 } as const
      const bus = await startedBus(context, (each) =>
        each.on(Noted, options, async (note, handling) => {
          journal.note(note, handling)
          if (note.n === 50) urgent = each.publish(Noted, { n: 1_000 }, { priority: 1 })
          await urgent
        }),
      )
      await publishNotes(bus, Noted, notes(500))
      await journal.reached(501)
      const at = journal.numbers.indexOf(1_000)
      // What it had taken when the urgent one came is handled first at most.
      assert.ok(at <= 51 + 2 * 10, `the urgent one was handled as number ${at} of 501`)
    },
  },
]
