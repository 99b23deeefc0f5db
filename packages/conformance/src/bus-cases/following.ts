import assert from 'node:assert/strict'
import { events } from '@posthaste/contracts'
import { anything, closeBus, type Note, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** Groups over many channels, and groups that go. */
export const busFollowing: readonly ConformanceCase[] = [
  {
    id: 'bus-pattern/later',
    title: 'a pattern follows every event that matches, those that appear later from their first message on',
    needs: ['patterns'],
    async run(context) {
      const root = context.unique('shop')
      const types = [`${root}.order.created`, `${root}.order.paid`, `${root}.stock.counted`, `${root}.order.x.y`]
      const contracts = types.map((type) => plainEvent(context, { type }))
      const journal = new Journal(context)
      const pattern = events(`${root}.order.*`, { data: anything<Note>() })
      const bus = await startedBus(context, (each) =>
        each.on(pattern, settings, (note, handling) => void journal.note(note, handling, handling.type)),
      )
      for (const contract of contracts) {
        const sender = await startedBus(context)
        await publishNotes(sender, contract, notes(20))
      }
      await journal.reached(40)
      await context.lull()
      for (const type of types) {
        if (/order\.[a-z]+$/.test(type)) expectComplete(context, journal.by(type), { count: 20 })
        else assert.deepEqual(journal.by(type), [], `${type} does not match`)
      }
      await closeBus(context, bus)
    },
  },
  {
    id: 'bus-temporary/goes',
    title: 'a temporary group has its events while it has members, and nothing of it waits for the next one',
    needs: ['temporaryGroups'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const temporary = { ...settings, lifetime: 'temporary' } as const
      const first = await startedBus(context, (each) => each.on(Noted, temporary, journal.handler('first')))
      const sender = await startedBus(context)
      await publishNotes(sender, Noted, notes(10))
      await journal.reached(10)
      await closeBus(context, first, 1_000)
      await publishNotes(sender, Noted, [{ n: 100 }])
      const second = await startedBus(context, (each) => each.on(Noted, temporary, journal.handler('second')))
      await publishNotes(sender, Noted, notes(5))
      await context.eventually(
        () => journal.by('second').length >= 5,
        () => 'what came while the second was there',
      )
      await context.lull()
      expectComplete(context, journal.by('first'), { count: 10 })
      expectComplete(context, journal.by('second'), { count: 5 })
      await closeBus(context, second)
    },
  },
  {
    id: 'bus-broadcast/each-instance',
    title: 'a broadcast reaches every instance once, and a group of the same event still shares',
    needs: ['temporaryGroups'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const instances = ['one', 'two', 'three']
      for (const by of instances) {
        await startedBus(context, (each) => {
          each.on(Noted, { ...settings, group: 'caches', broadcast: true }, journal.handler(by))
          each.on(Noted, { ...settings, group: 'shared' }, journal.handler('shared'))
        })
      }
      const sender = await startedBus(context)
      const count = 60
      await publishNotes(sender, Noted, notes(count))
      await journal.reached((instances.length + 1) * count)
      await context.lull()
      for (const by of [...instances, 'shared']) expectComplete(context, journal.by(by), { count })
    },
  },
]
