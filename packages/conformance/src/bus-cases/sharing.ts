import assert from 'node:assert/strict'
import { closeBus, notes, plainCommand, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** Who handles what. */
export const busSharing: readonly ConformanceCase[] = [
  {
    id: 'bus-groups/each',
    title: 'every group handles every event, whichever of them fails it',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const retry = { immediate: 0, baseMs: 100 }
      const bus = await startedBus(context, (each) => {
        each.on(Noted, { group: 'calm', retry: false }, journal.handler('calm'))
        each.on(Noted, { group: 'other', retry: false }, journal.handler('other'))
        each.on(Noted, { group: 'failing', retry }, (note, handling) => {
          if (handling.attempt === 1) throw new Error('the first time fails')
          journal.note(note, handling, 'failing')
        })
      })
      const count = 100
      await publishNotes(bus, Noted, notes(count))
      await journal.reached(3 * count)
      await context.lull()
      for (const group of ['calm', 'other', 'failing']) expectComplete(context, journal.by(group), { count })
    },
  },
  {
    id: 'bus-groups/command',
    title: 'a command is handled by one of those that handle it, also what was sent before there was any',
    async run(context) {
      const Ordered = plainCommand(context)
      const journal = new Journal(context)
      const sender = await startedBus(context)
      await publishNotes(sender, Ordered, notes(50))
      for (const by of ['one', 'two', 'three']) {
        await startedBus(context, (each) => each.handle(Ordered, { retry: false }, journal.handler(by)))
      }
      await publishNotes(
        sender,
        Ordered,
        notes(100).map(({ n }) => ({ n: n + 50 })),
      )
      await journal.complete(150)
      await context.lull()
      expectComplete(context, journal.runs, { count: 150 })
    },
  },
  {
    id: 'bus-groups/competing',
    title: 'fifty consumers share five thousand messages, each handled by one',
    async run(context) {
      const Ordered = plainCommand(context)
      const journal = new Journal(context)
      const options = { retry: false, concurrency: 4, prefetch: 20 } as const
      for (let at = 0; at < 50; at += 1) {
        await startedBus(context, (each) =>
          each.handle(Ordered, options, async (note, handling) => {
            journal.note(note, handling, String(at))
            await Promise.resolve()
          }),
        )
      }
      const sender = await startedBus(context)
      const count = context.scaled(5_000)
      const all = notes(count)
      const calls = Array.from({ length: 10 }, (_, at) => all.filter(({ n }) => n % 10 === at))
      await Promise.all(calls.map((call) => publishNotes(sender, Ordered, call)))
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
      const busy = new Set(journal.runs.map(({ by }) => by)).size
      assert.ok(busy > 1, 'the work is shared')
    },
  },
  {
    id: 'bus-groups/resubscribe',
    title: 'buses that come and go in the midst of a backlog lose nothing and repeat nothing',
    async run(context) {
      const Ordered = plainCommand(context)
      const journal = new Journal(context)
      const sender = await startedBus(context)
      const count = context.scaled(600)
      await publishNotes(sender, Ordered, notes(count))
      for (let wanted = 100; wanted < count; wanted += 100) {
        const bus = await startedBus(context, (each) =>
          each.handle(Ordered, { retry: false, concurrency: 2, prefetch: 150 }, async (note, handling) => {
            journal.note(note, handling)
            await Promise.resolve()
          }),
        )
        await journal.reached(wanted)
        await closeBus(context, bus, 60_000)
      }
      await startedBus(context, (each) => each.handle(Ordered, { retry: false }, journal.handler()))
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
    },
  },
]
