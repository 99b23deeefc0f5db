import assert from 'node:assert/strict'
import { notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** How long before the due time an early delivery is looked for. */
const marginMs = 20

/** What a message takes from the engine to the handler on a busy machine, in milliseconds. */
const slackMs = 20

const settings = { group: 'g', retry: false } as const

/** Messages for later, and messages for now or never. */
export const busTiming: readonly ConformanceCase[] = [
  {
    id: 'bus-delay/accuracy',
    title: 'scheduled messages are handled when they are due, never before, and how late is told',
    needs: ['delay'],
    onMachineTime: true,
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const startMs = context.nowMs()
      const dueAt = (n: number) => startMs + context.delayMs + 10 * n
      const count = 40
      await Promise.all(notes(count).map(({ n }) => bus.schedule(Noted, { n }, { atMs: dueAt(n) })))
      await journal.complete(count)
      const late = journal.runs.map(({ n, atMs }) => atMs - dueAt(n)).sort((a, b) => a - b)
      const [best = 0, worst = 0] = [late[0], late.at(-1)]
      assert.ok(best >= 0, `one came ${-best} ms early`)
      expectComplete(context, journal.runs, { count })
      // What the machine does beside it may make any of them late; that all of them are is the engine's.
      const promisedMs = context.capabilities.delayPrecisionMs + slackMs
      assert.ok(best <= promisedMs, `the best of ${count} was ${best} ms late, and ${promisedMs} are promised`)
      context.count('late at most, ms', Math.round(worst))
      context.count('late in the middle, ms', Math.round(late[count / 2] ?? 0))
    },
  },
  {
    id: 'bus-delay/not-before',
    title: 'until shortly before it is due a scheduled message is not handled, however busy the engine is',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const atMs = context.nowMs() + context.delayMs
      await Promise.all(notes(20).map(({ n }) => bus.schedule(Noted, { n }, { atMs })))
      await context.reach(atMs - marginMs)
      await context.lull()
      const early = journal.runs.length
      // On a slow machine the time may have come by now.
      if (context.nowMs() < atMs) assert.equal(early, 0, `${early} were handled before they were due`)
      await context.reach(atMs)
      await journal.complete(20)
      await context.lull()
      expectComplete(context, journal.runs, { count: 20 })
    },
  },
  {
    id: 'bus-delay/restart',
    title: 'scheduled messages survive the application and the engine, also those that fall due meanwhile',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      // On a slow machine the first may fall due before the sender has left.
      const sender = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const startMs = context.nowMs()
      for (let n = 0; n < 10; n += 1) await sender.schedule(Noted, { n }, { atMs: startMs + (n + 1) * context.delayMs })
      await context.through(sender.close({ graceMs: 0 }), 'the close')
      await context.restart()
      await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      for (let n = 0; n < 10; n += 1) await context.reach(startMs + (n + 1) * context.delayMs)
      await journal.complete(10)
      await context.lull()
      expectComplete(context, journal.runs, { count: 10 })
      for (const { n, atMs } of journal.runs) assert.ok(atMs >= startMs + (n + 1) * context.delayMs, `${n} came early`)
    },
  },
  {
    id: 'bus-cancel/by-id',
    title: 'a scheduled message that is cancelled by its id in time is never handled, one that was handled cannot be',
    needs: ['delay', 'scheduling'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const bus = await startedBus(context, (each) => each.on(Noted, settings, journal.handler()))
      const atMs = context.nowMs() + 5 * context.delayMs
      const ids: string[] = []
      for (let n = 0; n < 10; n += 1) ids.push((await bus.schedule(Noted, { n }, { atMs })).id)
      const kept = ids.filter((_, n) => n % 2 === 0)
      const dropped = ids.filter((_, n) => n % 2 === 1)
      for (const id of dropped) assert.equal(await bus.cancel(Noted, id), true)
      await context.reach(atMs)
      await journal.reached(kept.length)
      await context.lull()
      assert.deepEqual(journal.runs.map(({ id }) => id).sort(), [...kept].sort())
      for (const id of ids) assert.equal(await bus.cancel(Noted, id), false, 'too late, or done before')
    },
  },
  {
    id: 'bus-expiry/dead-letter',
    title:
      'a message that outlived its time to live is not handled; it goes to the dead letters, and others are handled',
    needs: ['browsing'],
    async run(context) {
      const [Brief, Lasting] = [plainEvent(context, { timeToLiveMs: context.delayMs }), plainEvent(context)]
      const journal = new Journal(context)
      const register = (handled: boolean) =>
        startedBus(context, (each) => {
          for (const [contract, by] of [
            [Brief, 'brief'],
            [Lasting, 'lasting'],
          ] as const) {
            each.on(contract, settings, (note, handling) => {
              assert.ok(handled, 'nobody handles yet')
              journal.note(note, handling, by)
            })
          }
        })
      const declaring = await register(false)
      await context.through(declaring.close({ graceMs: 0 }), 'the close')
      const sender = await startedBus(context)
      await publishNotes(sender, Brief, notes(5))
      await publishNotes(sender, Lasting, notes(5))
      await context.reach(context.nowMs() + context.delayMs)
      const bus = await register(true)
      await context.eventually(
        () => journal.by('lasting').length === 5 && bus.stats().some(({ deadLettered }) => deadLettered === 5),
        () => 'the lasting to be handled and the brief to be dead',
      )
      assert.deepEqual(journal.by('brief'), [])
      const { letters } = await bus.deadLetters(Brief, { group: 'g' }).browse()
      assert.deepEqual(
        letters.map(({ code }) => code),
        Array.from({ length: 5 }, () => 'MESSAGE_EXPIRED'),
      )
    },
  },
  {
    id: 'bus-expiry/drop',
    title: 'where it is asked for, what has expired is dropped and counted, and is no dead letter',
    async run(context) {
      const Brief = plainEvent(context)
      const journal = new Journal(context)
      const dropping = { ...settings, expired: 'drop' } as const
      const declaring = await startedBus(context, (each) => each.on(Brief, dropping, () => {}))
      await context.through(declaring.close({ graceMs: 0 }), 'the close')
      const sender = await startedBus(context)
      for (const { n } of notes(5)) await sender.publish(Brief, { n: n + 5 }, { timeToLiveMs: context.delayMs })
      await publishNotes(sender, Brief, notes(5))
      await context.reach(context.nowMs() + context.delayMs)
      const bus = await startedBus(context, (each) => each.on(Brief, dropping, journal.handler()))
      await context.eventually(
        () => journal.runs.length >= 5 && bus.stats()[0]?.expired === 5,
        () => 'five to be handled and five to be dropped',
      )
      await context.lull()
      expectComplete(context, journal.runs, { count: 5 })
      assert.equal(bus.stats()[0]?.deadLettered, 0)
    },
  },
]
