import assert from 'node:assert/strict'
import { closeBus, keyedEvent, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const
const dayMs = 86_400_000

/** Looking after groups. */
export const busAdministering: readonly ConformanceCase[] = [
  {
    id: 'bus-pause/hands-back',
    title: 'a paused group is handed nothing, others of it go on, and resumed it goes on where it was, uncounted',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { ...settings, prefetch: 20 }, journal.handler('first')),
      )
      await publishNotes(bus, Noted, notes(10))
      await journal.reached(10)
      const group = bus.group(Noted, { group: 'g' })
      await context.through(group.pause(), 'the pause')
      assert.equal(bus.stats()[0]?.state, 'paused')
      await publishNotes(
        bus,
        Noted,
        notes(20)
          .slice(10)
          .map(({ n }) => ({ n })),
      )
      await context.lull()
      assert.equal(journal.runs.length, 10, 'nothing is handled while it is paused')
      const other = await startedBus(context, (each) => each.on(Noted, settings, journal.handler('second')))
      await journal.complete(20)
      assert.equal(journal.by('second').length, 10, 'another member goes on')
      await closeBus(context, other, 1_000)
      await publishNotes(
        bus,
        Noted,
        notes(40)
          .slice(20)
          .map(({ n }) => ({ n })),
      )
      await context.through(group.resume(), 'the resume')
      await journal.complete(40)
      await context.lull()
      expectComplete(context, journal.runs, { count: 40 })
      assert.ok(
        journal.runs.every(({ attempt }) => attempt === 1),
        'a pause is no attempt',
      )
    },
  },
  {
    id: 'bus-pause/in-the-midst',
    title: 'pausing and resuming in the midst of a backlog loses nothing and repeats nothing',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const options = { ...settings, concurrency: 4, prefetch: 30 } as const
      const bus = await startedBus(context, (each) =>
        each.on(Noted, options, async (note, handling) => {
          await Promise.resolve()
          journal.note(note, handling)
        }),
      )
      const group = bus.group(Noted, { group: 'g' })
      const count = context.scaled(500)
      const publishing = context.begun(publishNotes(bus, Noted, notes(count)))
      for (let round = 0; round < 5; round += 1) {
        await context.through(group.pause({ graceMs: 60_000 }), 'the pause')
        await context.through(group.resume(), 'the resume')
        await journal.reached(Math.min(count, 20 * (round + 1)))
      }
      await publishing
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
    },
  },
  {
    id: 'bus-seek/replay',
    title: 'a group is replayed from the start, from a time and from a position, and goes on with what comes',
    needs: ['history', 'seeking', 'browsing'],
    async run(context) {
      // Where records without a key stand in key ranges, too, order is that of a key alone.
      const [contract, keys] = context.hasRanges({ keyed: false }) ? [keyedEvent, 4] : [plainEvent, 1]
      const Noted = contract(context, { retention: { forMs: 30 * dayMs } })
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { ...settings, concurrency: 1 }, journal.handler()),
      )
      await publishNotes(bus, Noted, notes(20, keys).slice(0, 10))
      await journal.reached(10)
      await context.reach(context.nowMs() + 10)
      const midMs = context.nowMs()
      for (const note of notes(20, keys).slice(10)) {
        await bus.publish(Noted, note)
        // A position is one of its key range: in the others the time decides, in milliseconds.
        await context.reach(context.nowMs() + 1)
      }
      await journal.reached(20)
      const { messages } = await bus.browse(Noted, { limit: 100 })
      const position = messages.find(({ data }) => data?.n === 15)?.position ?? ''
      const group = bus.group(Noted, { group: 'g' })
      const byKey = (numbers: readonly number[]) =>
        notes(keys).map(({ n: key }) => numbers.filter((n) => n % keys === key).join(' '))
      const expected: number[] = notes(20).map(({ n }) => n)
      const replay = async (to: Parameters<typeof group.seek>[0], from: number) => {
        await context.through(group.seek(to), 'the seek')
        expected.push(
          ...notes(20)
            .slice(from)
            .map(({ n }) => n),
        )
        await journal.reached(expected.length)
        await context.lull()
        assert.deepEqual(byKey(journal.numbers), byKey(expected))
      }
      await replay({ to: 'earliest' }, 0)
      await replay({ atMs: midMs }, 10)
      await replay({ position }, 15)
      await replay({ to: 'next' }, 20)
      await publishNotes(bus, Noted, [{ n: 20 }])
      await journal.reached(expected.length + 1)
      context.count('replayed', expected.length - 20)
    },
  },
  {
    id: 'bus-lag/tells',
    title: 'the lag of a group tells what waits for it, and is none when all is handled',
    needs: ['lag'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const gate = Promise.withResolvers<void>()
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { ...settings, concurrency: 2, prefetch: 5 }, async (note, handling) => {
          await gate.promise
          journal.note(note, handling)
        }),
      )
      const group = bus.group(Noted, { group: 'g' })
      assert.deepEqual(await group.lag(), { ready: 0, waiting: 0, inFlight: 0 })
      await publishNotes(bus, Noted, notes(20))
      await context.until(
        () => bus.stats()[0]?.unsettled === 5,
        () => 'the prefetch to be taken',
      )
      assert.deepEqual(await group.lag(), { ready: 20, waiting: 0, inFlight: 5 })
      gate.resolve()
      await journal.complete(20)
      let ready = 20
      for (let look = 0; look < 100 && ready > 0; look += 1) {
        await context.lull()
        ready = (await group.lag()).ready
      }
      assert.equal(ready, 0)
    },
  },
  {
    id: 'bus-browse/find',
    title: 'messages are found by id, key, correlation and time, without being taken from anybody',
    needs: ['browsing', 'history'],
    async run(context) {
      const Noted = plainEvent(context, { retention: { forMs: dayMs } })
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const ids: string[] = []
      for (let n = 0; n < 30; n += 1) {
        ids.push((await bus.publish(Noted, { n }, { correlationId: `process-${n % 3}` })).id)
        // What stands in several ranges is told apart by when it was stored, in milliseconds.
        await context.reach(context.nowMs() + 1)
      }
      const numbers = async (query: Parameters<typeof bus.browse>[1]) =>
        (await bus.browse(Noted, query)).messages.map(({ data }) => data?.n)
      assert.deepEqual(await numbers({ id: ids[7] ?? '' }), [7])
      assert.deepEqual(await numbers({ correlationId: 'process-1', limit: 100 }), [1, 4, 7, 10, 13, 16, 19, 22, 25, 28])
      await journal.complete(30)
      await context.lull()
      expectComplete(context, journal.runs, { count: 30 })
    },
  },
]
