import assert from 'node:assert/strict'
import { notes, plainCommand, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, expectKeyedPairs, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { sharedKeys, sharedOut } from '../sharing.ts'

async function slowAmongCompeting(context: CaseContext): Promise<void> {
  const Noted = plainCommand(context)
  const journal = new Journal(context)
  const gate = Promise.withResolvers<void>()
  const slow = await startedBus(context, (each) =>
    each.handle(Noted, { retry: false, concurrency: 1, prefetch: 5 }, async (note, handling) => {
      await gate.promise
      journal.note(note, handling, 'slow')
    }),
  )
  const count = context.scaled(1_000)
  await publishNotes(slow, Noted, notes(count))
  await startedBus(context, (each) => each.handle(Noted, { retry: false }, journal.handler('fast')))
  await context.eventually(
    () => journal.by('fast').length >= count - 5,
    () => `what the slow one did not take, saw ${journal.by('fast').length}`,
  )
  assert.ok((slow.stats()[0]?.unsettled ?? 0) <= 5, 'the slow one holds its prefetch at most')
  gate.resolve()
  await journal.complete(count)
  await context.lull()
  expectComplete(context, journal.runs, { count })
}

/** A key range waits for its reader, the others go on. */
async function slowReader(context: CaseContext): Promise<void> {
  const Noted = plainCommand(context, { key: ({ key = '' }) => key })
  const journal = new Journal(context)
  let gate = Promise.resolve()
  const slow = await startedBus(context, (each) =>
    each.handle(Noted, { retry: false, concurrency: 1, prefetch: 5 }, async (note, handling) => {
      await gate
      journal.note(note, handling, 'slow')
    }),
  )
  await startedBus(context, (each) => each.handle(Noted, { retry: false }, journal.handler('fast')))
  let count = 0
  const publish = async (more: number) => {
    const added = Array.from({ length: more }, (_, at) => ({ n: count + at, key: sharedKeys[at % sharedKeys.length]! }))
    count += more
    await publishNotes(slow, Noted, added)
    return added
  }
  const keysOfFast = await sharedOut(context, async () => {
    const added = await publish(sharedKeys.length)
    await journal.complete(count)
    const done = new Set(journal.by('fast').map(({ n }) => n))
    return new Set(added.flatMap(({ n, key }) => (done.has(n) ? [key] : [])))
  })
  const opened = Promise.withResolvers<void>()
  gate = opened.promise
  const backlog = (await publish(context.scaled(1_000))).filter(({ key }) => keysOfFast.has(key))
  const missing = () => {
    const done = new Set(journal.by('fast').map(({ n }) => n))
    return backlog.filter(({ n }) => !done.has(n)).length
  }
  await context.eventually(
    () => missing() === 0,
    () => `${missing()} of ${backlog.length} messages of the other ranges`,
  )
  assert.ok((slow.stats()[0]?.unsettled ?? 0) <= 5, 'the slow one holds its prefetch at most')
  opened.resolve()
  await journal.complete(count)
  await context.lull()
  expectComplete(context, journal.runs, { count })
  expectKeyedPairs(context, journal.runs)
}

/** How much is under way at a time, and what happens when it is too much. */
export const busFlow: readonly ConformanceCase[] = [
  {
    id: 'bus-flow/bounds',
    title: 'no more handlers run than the concurrency, and no more is taken than the prefetch',
    async run(context) {
      const Noted = plainCommand(context)
      const journal = new Journal(context)
      let [running, most, mostTaken] = [0, 0, 0]
      const options = { retry: false, concurrency: 3, prefetch: 10 } as const
      const bus = await startedBus(context, (each) =>
        each.handle(Noted, options, async (note, handling) => {
          running += 1
          most = Math.max(most, running)
          mostTaken = Math.max(mostTaken, each.stats()[0]?.unsettled ?? 0)
          await new Promise<void>((resolve) => setImmediate(resolve))
          running -= 1
          journal.note(note, handling)
        }),
      )
      await publishNotes(bus, Noted, notes(300))
      await journal.complete(300)
      expectComplete(context, journal.runs, { count: 300 })
      assert.ok(most <= 3, `${most} handlers ran at a time`)
      assert.ok(mostTaken <= 10, `${mostTaken} were taken at a time`)
    },
  },
  {
    id: 'bus-flow/slow-consumer',
    title: 'a consumer that is slow takes no more than its prefetch of a backlog, and the others get the rest',
    async run(context) {
      if (!context.hasRanges({ keyed: false })) await slowAmongCompeting(context)
      if (context.hasRanges({ keyed: true })) await slowReader(context)
    },
  },
  {
    id: 'bus-flow/breaker',
    title: 'an open breaker pauses the consumer: nothing is handed out in vain, nothing is lost, and it goes on',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      let [broken, vain] = [true, 0]
      const count = 50
      const openMs = Math.min(context.delayMs, 5_000)
      const breaker = { callsMin: 5, openMs, openMsMax: openMs } as const
      const retry = { immediate: 0, delayed: 100, baseMs: 10, maxMs: openMs }
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', concurrency: 1, prefetch: 10, breaker, retry }, (note, handling) => {
          if (!broken) return void journal.note(note, handling)
          vain += 1
          throw new Error('database down')
        }),
      )
      await publishNotes(bus, Noted, notes(count))
      await context.eventually(
        () => vain >= 5,
        () => 'the breaker to see failures',
      )
      await context.reach(context.nowMs() + 3 * openMs)
      // Each opening lets a probe through or two; without a pause every message would have come back many times.
      assert.ok(vain < count, `${vain} deliveries were handled in vain`)
      context.count('deliveries in vain', vain)
      broken = false
      await journal.complete(count)
      await context.lull()
      expectComplete(context, journal.runs, { count })
    },
  },
  {
    id: 'bus-flow/long-handler',
    title: 'a handler that takes many times the lease keeps its message: nobody else gets it',
    async run(context) {
      const Noted = plainCommand(context)
      const journal = new Journal(context)
      const gate = Promise.withResolvers<void>()
      const { leaseMs } = context.capabilities
      const long = Number.isFinite(leaseMs) ? 3 * leaseMs : 10 * context.delayMs
      for (const by of ['one', 'two']) {
        await startedBus(context, (each) =>
          each.handle(Noted, { retry: false, concurrency: 1, prefetch: 1 }, async (note, handling) => {
            journal.note(note, handling, by)
            await gate.promise
          }),
        )
      }
      const sender = await startedBus(context)
      await sender.send(Noted, { n: 0 })
      await journal.complete(1)
      await context.reach(context.nowMs() + long)
      await context.lull()
      gate.resolve()
      await context.lull()
      expectComplete(context, journal.runs, { count: 1 })
    },
  },
]
