import assert from 'node:assert/strict'
import type { Engine, EngineSubscription, Outcome } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import { closeBus, keyedEvent, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { changed } from '../mutants/changes.ts'

const failing = () => {
  throw new Error('database down')
}

/** An engine that cannot store dead letters as long as `isDown`. */
function withoutDeadLetters(engine: Engine, isDown: () => boolean): Engine {
  const error = new PosthasteError('ENGINE_WRITE_FAILED', 'the disk is full')
  const failed: Outcome = { ok: false, error }
  const subscription = (joined: EngineSubscription): Partial<EngineSubscription> => ({
    async settle(batch) {
      const isRefused = batch.map((each) => isDown() && each.kind === 'ack' && (each.publish?.length ?? 0) > 0)
      const outcomes = [...(await joined.settle(batch.filter((_, at) => !isRefused[at])))]
      return isRefused.map((refused) => (refused ? failed : (outcomes.shift() ?? failed)))
    },
  })
  return changed(engine, { subscription })
}

async function letterCount(context: CaseContext, count: () => number, wanted: number): Promise<void> {
  await context.eventually(
    () => count() >= wanted,
    () => `${wanted} dead letters, there are ${count()}`,
  )
}

/** What becomes of messages that nobody can handle. */
export const busDeadLetters: readonly ConformanceCase[] = [
  {
    id: 'bus-dead/bytes',
    title: 'a dead letter has the original bytes, key and headers, the reason, and the number of deliveries',
    needs: ['browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      const bus = await startedBus(context, (each) => each.on(Noted, { group: 'g', retry: false }, failing))
      const headers = { type: Noted.type, source: '/elsewhere', datacontenttype: 'application/json', tenant: 'Zürich' }
      // Spaces and an escape that no encoder writes: what is kept is the bytes, not what they mean.
      const bodies = ['{ "n" :  0, "text":"\\u00e9" }', '{"n":', '\u0000\u0001\ufffd'].map((text) =>
        new TextEncoder().encode(text),
      )
      const outcomes = await context.engine.publish(
        bodies.map((body, at) => ({ id: `dead-${at}`, channel: Noted.type, headers, body })),
      )
      assert.ok(outcomes.every(({ ok }) => ok))
      await letterCount(context, () => bus.stats()[0]?.deadLettered ?? 0, bodies.length)
      const { letters } = await bus.deadLetters(Noted, { group: 'g' }).browse()
      const byId = [...letters].sort((a, b) => (a.id < b.id ? -1 : 1))
      assert.deepEqual(
        byId.map(({ id, data, headers: kept, attempts, code }) => ({ id, data: [...data], kept, attempts, code })),
        bodies.map((body, at) => ({
          id: `dead-${at}`,
          data: [...body],
          kept: headers,
          attempts: 1,
          code: at === 0 ? 'ATTEMPTS_EXHAUSTED' : 'BODY_MALFORMED',
        })),
      )
      assert.match(byId[0]?.reason ?? '', /database down/)
    },
  },
  {
    id: 'bus-dead/survives',
    title: 'dead letters survive a restart, in the order in which they died, each once',
    needs: ['browsing'],
    async run(context) {
      // Where records without a key stand in key ranges, too, order is that of a key alone.
      const [contract, keys] = context.hasRanges({ keyed: false }) ? [keyedEvent, 4] : [plainEvent, 1]
      const Noted = contract(context)
      const register = (each: Awaited<ReturnType<typeof startedBus>>) =>
        each.on(Noted, { group: 'g', retry: false, concurrency: 1 }, failing)
      let bus = await startedBus(context, register)
      const ids = await publishNotes(bus, Noted, notes(40, keys))
      await letterCount(context, () => bus.stats()[0]?.deadLettered ?? 0, ids.length)
      await closeBus(context, bus)
      await context.restart()
      bus = await startedBus(context, register)
      const { letters } = await bus.deadLetters(Noted, { group: 'g' }).browse()
      assert.equal(letters.length, ids.length)
      for (let key = 0; key < keys; key += 1) {
        const expected = ids.filter((_, at) => at % keys === key)
        assert.deepEqual(
          letters.flatMap(({ id }) => (expected.includes(id) ? [id] : [])),
          expected,
        )
      }
    },
  },
  {
    id: 'bus-dead/write-fails',
    title:
      'while dead letters cannot be written the message is held, neither acknowledged nor spun, and then it stands',
    needs: ['browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      let isDown = true
      let tries = 0
      const engine = withoutDeadLetters(context.engine, () => {
        if (isDown) tries += 1
        return isDown
      })
      const bus = await startedBus(context, (each) => each.on(Noted, { group: 'g', retry: false }, failing), { engine })
      const { id } = await bus.publish(Noted, { n: 0 })
      await context.eventually(
        () => tries >= 3,
        () => 'some tries to write the dead letter',
      )
      const letters = async () => (await bus.deadLetters(Noted, { group: 'g' }).browse()).letters.map((each) => each.id)
      assert.deepEqual(await letters(), [])
      assert.equal(bus.stats()[0]?.acked, 0, 'it is not acknowledged')
      isDown = false
      await letterCount(context, () => bus.stats()[0]?.deadLettered ?? 0, 1)
      assert.deepEqual(await letters(), [id])
    },
  },
  {
    id: 'bus-dead/write-fails-crash',
    title: 'a message whose dead letter could not be written before a restart is there again',
    needs: ['browsing'],
    async run(context) {
      const Noted = plainEvent(context)
      let isStopped = false
      const engine = withoutDeadLetters(context.engine, () => {
        isStopped = true
        return true
      })
      const settings = { group: 'g', retry: false } as const
      const broken = await startedBus(context, (each) => each.on(Noted, settings, failing), { engine })
      const { id } = await broken.publish(Noted, { n: 0 })
      await context.eventually(
        () => isStopped,
        () => 'a try to write the dead letter',
      )
      await closeBus(context, broken)
      await context.restart()
      const bus = await startedBus(context, (each) => each.on(Noted, settings, failing))
      await letterCount(context, () => bus.stats()[0]?.deadLettered ?? 0, 1)
      const { letters } = await bus.deadLetters(Noted, { group: 'g' }).browse()
      assert.deepEqual(
        letters.map((each) => each.id),
        [id],
      )
    },
  },
  {
    id: 'bus-redrive/own-group',
    title: 'a redrive gives dead letters back to the group that failed them, to no other, with attempts from 1',
    needs: ['browsing', 'groupAddress'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      let broken = true
      const bus = await startedBus(context, (each) => {
        each.on(Noted, { group: 'calm', retry: false }, journal.handler('calm'))
        each.on(Noted, { group: 'failing', retry: false }, (note, handling) => {
          if (broken) throw new Error('database down')
          journal.note(note, handling, 'failing')
        })
      })
      const ids = await publishNotes(bus, Noted, notes(20))
      const dead = () => bus.stats().find(({ group }) => group === 'failing')?.deadLettered ?? 0
      await letterCount(context, dead, ids.length)
      broken = false
      const letters = bus.deadLetters(Noted, { group: 'failing' })
      const report = await letters.redrive({ all: true })
      assert.deepEqual(report.failed, [])
      assert.equal(report.moved, 20)
      await context.eventually(
        () => journal.by('failing').length >= 20,
        () => `what was redriven, saw ${journal.by('failing').length}`,
      )
      await context.lull()
      for (const group of ['calm', 'failing']) expectComplete(context, journal.by(group), { count: 20 })
      assert.ok(journal.by('failing').every(({ attempt }) => attempt === 1))
      assert.deepEqual(
        journal
          .by('failing')
          .map(({ id }) => id)
          .sort(),
        [...ids].sort(),
      )
      assert.deepEqual((await letters.browse()).letters, [])
      assert.equal((await letters.redrive({ all: true })).moved, 0, 'a second time there is nothing')
    },
  },
  {
    id: 'bus-redrive/once',
    title: 'of redrives at the same time each letter is moved by one',
    needs: ['browsing', 'groupAddress', 'keyOrder'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      let broken = true
      const bus = await startedBus(context, (each) =>
        each.on(Noted, { group: 'g', retry: false }, (note, handling) => {
          if (broken) throw new Error('database down')
          journal.note(note, handling)
        }),
      )
      await publishNotes(bus, Noted, notes(30, 3))
      await letterCount(context, () => bus.stats()[0]?.deadLettered ?? 0, 30)
      broken = false
      const letters = bus.deadLetters(Noted, { group: 'g' })
      const reports = await Promise.all([1, 2, 3].map(() => letters.redrive({ all: true })))
      assert.equal(
        reports.reduce((sum, { moved }) => sum + moved, 0),
        30,
      )
      await journal.complete(30)
      await context.lull()
      expectComplete(context, journal.runs, { count: 30 })
    },
  },
]
