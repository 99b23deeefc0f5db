import assert from 'node:assert/strict'
import { PosthasteError } from '@posthaste/contracts'
import { type Bus, memoryInbox } from 'posthaste/bus'
import { newBus, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false, concurrency: 4, prefetch: 16 } as const

/** How often a message takes effect. */
export const busLevels: readonly ConformanceCase[] = [
  {
    id: 'bus-level/at-most-once',
    title: 'at most once: what fails is not handled again, and what a crash cuts off is not, either',
    needs: ['crash', 'attempts'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const count = 200
      const once = { group: 'g', concurrency: 4, prefetch: 16, delivery: 'at-most-once' } as const
      const register = (bus: Bus) => {
        const note = journal.living()
        bus.on(Noted, once, async (data, handling) => {
          await note(data, handling)
          if (data.n % 10 === 0) throw new Error('it fails')
        })
      }
      const first = await startedBus(context, register)
      await publishNotes(first, Noted, notes(count))
      await journal.reached(50)
      await journal.crash()
      const second = await startedBus(context, register)
      const late = { n: count }
      await second.publish(Noted, late)
      await context.eventually(
        () => journal.of(count).length > 0,
        () => 'what was published last',
      )
      await context.lull()
      const repeated = notes(count + 1).filter(({ n }) => journal.of(n).length > 1)
      assert.deepEqual(repeated, [], 'nothing is handled twice')
      const missing = notes(count).filter(({ n }) => journal.of(n).length === 0).length
      assert.ok(missing <= settings.prefetch, `${missing} were lost in the crash, at most what was in flight may be`)
      assert.ok((second.stats()[0]?.failed ?? 0) > 0, 'failures are counted')
      context.count('messages', count + 1)
      context.count('lost in a crash', missing)
    },
  },
  {
    id: 'bus-level/exactly-once',
    title: 'exactly once: every message has its effect, stored once, whatever crashes in between',
    needs: ['crash', 'attempts', 'atomicSettle', 'browsing', 'delay'],
    async run(context) {
      const [Cause, Effect] = [plainEvent(context), plainEvent(context)]
      const count = 200
      const handled = new Set<number>()
      let runs = 0
      const exactly = { ...settings, retry: { immediate: 0, baseMs: 10 }, delivery: 'exactly-once' } as const
      const register = (bus: Bus) =>
        bus.on(Cause, exactly, async (note, handling) => {
          runs += 1
          await handling.publish(Effect, { n: note.n })
          if (note.n % 20 === 3 && handling.attempt === 1) throw new Error('after it has published')
          handled.add(note.n)
        })
      const keep = { group: 'keeper', retry: false, concurrency: 1, prefetch: 1 } as const
      const keeper = await startedBus(context, (each) => each.on(Effect, keep, () => new Promise(() => {})))
      await context.through(keeper.close({ graceMs: 0 }), 'the close')
      const first = await startedBus(context, register)
      await publishNotes(first, Cause, notes(count))
      for (const wanted of [40, 100]) {
        await context.eventually(
          () => handled.size >= wanted,
          () => `${wanted} handlers to end`,
        )
        await context.crash()
        await startedBus(context, register)
      }
      const looker = await startedBus(context)
      const stored = async () => {
        const numbers: number[] = []
        let after: string | undefined
        do {
          const page = await looker.browse(Effect, { limit: 1_000, after })
          numbers.push(...page.messages.map(({ data }) => data?.n ?? -1))
          after = page.next
        } while (after !== undefined)
        return numbers
      }
      await context.eventually(
        () => handled.size === count,
        () => `all to be handled, ${handled.size} are`,
      )
      let numbers = await stored()
      for (let look = 0; look < 200 && new Set(numbers).size < count; look += 1) {
        await context.lull()
        numbers = await stored()
      }
      assert.deepEqual(
        [...numbers].sort((a, b) => a - b),
        notes(count).map(({ n }) => n),
        'each effect stands once',
      )
      context.count('messages', count)
      context.count('handled again', runs - count)
    },
  },
  {
    id: 'bus-level/inbox',
    title: 'exactly once with an inbox: what is published again under its id is recognised, acknowledged and counted',
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const inbox = { store: memoryInbox({ clock: context.clock }) }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { ...settings, delivery: 'exactly-once', inbox }, journal.handler()),
      )
      for (let time = 0; time < 3; time += 1) {
        for (const { n } of notes(40)) await bus.publish(Noted, { n }, { id: `${context.run}-${n}` })
      }
      await context.eventually(
        () => (bus.stats()[0]?.duplicates ?? 0) + journal.runs.length >= 120,
        () => `120 deliveries, saw ${journal.runs.length} and ${bus.stats()[0]?.duplicates}`,
      )
      await context.lull()
      expectComplete(context, journal.runs, { count: 40 })
      assert.equal(bus.stats()[0]?.duplicates, 80)
      context.count('repetitions recognised', 80)
    },
  },
  {
    id: 'bus-level/unmet',
    title: 'exactly once without an inbox is there where settling is atomic, and refused elsewhere',
    async run(context) {
      const Noted = plainEvent(context)
      const bus = newBus(context)
      bus.on(Noted, { ...settings, delivery: 'exactly-once' }, () => {})
      const thrown = await context.through(bus.start(), 'the start').then(
        () => undefined,
        (reason: unknown) => reason,
      )
      if (context.capabilities.atomicSettle === 'native') assert.equal(thrown, undefined)
      else assert.ok(PosthasteError.is(thrown, 'CAPABILITY_UNSUPPORTED'), `refused, but got ${String(thrown)}`)
    },
  },
]
