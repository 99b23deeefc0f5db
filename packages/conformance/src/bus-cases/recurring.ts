import assert from 'node:assert/strict'
import type { Bus } from 'posthaste/bus'
import { closeBus, plainEvent, startedBus } from '../bus/bus.ts'
import { Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

const settings = { group: 'g', retry: false } as const

/** Messages that are published over and over. */
export const busRecurring: readonly ConformanceCase[] = [
  {
    id: 'bus-recur/instances',
    title: 'what recurs is published once for each time, however many instances say so and whoever restarts',
    needs: ['delay', 'scheduling', 'keyOrder', 'holdKey'],
    async run(context) {
      const Ticked = plainEvent(context)
      const journal = new Journal(context)
      const times = new Set<number>()
      const register = (bus: Bus) => {
        bus.on(Ticked, settings, (note, handling) => {
          times.add(note.n)
          journal.note(note, handling)
        })
        bus.recur(Ticked, { name: 'tick', cron: '* * * * * *', data: (atMs: number) => ({ n: atMs }) })
      }
      const wish = { name: context.unique('app') }
      let buses = [await startedBus(context, register, wish), await startedBus(context, register, wish)]
      const seen = async (count: number) => {
        await context.eventually(
          () => times.size >= count,
          () => `${count} times, saw ${times.size}`,
          200,
        )
      }
      await seen(3)
      for (const bus of buses) await closeBus(context, bus, 1_000)
      await context.restart()
      buses = [await startedBus(context, register, wish), await startedBus(context, register, wish)]
      await seen(6)
      await context.lull()
      const repeated = [...times].filter((n) => journal.of(n).length > 1)
      assert.deepEqual(repeated, [], 'once for each time')
      assert.ok(
        [...times].every((n) => n % 1_000 === 0),
        'at the times of the expression',
      )
      context.count('times', times.size)
    },
  },
]
