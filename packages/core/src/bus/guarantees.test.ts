import {
  type BrowsedRecord,
  type BrowsePage,
  type Browsing,
  command,
  type Engine,
  type EventContract,
  event,
  PosthasteError,
  reject,
  retryLater,
  succeeded,
} from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, half, memoryRig, Noted, Ordered, recordOf, scriptedRig } from '../../test/bus/rig.ts'
import { silentLog } from '../pipeline/log.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { createBus } from './bus.ts'

/** Everything that a test of these may wait for: long enough for any ladder here. */
const longMs = 3_600_000

describe('the ladder on a real engine', () => {
  it('makes attempts at once, then later ones with growing waits, then a dead letter', async () => {
    const { bus, clock } = await memoryRig()
    const attempts: { attempt: number; atMs: number }[] = []
    const startMs = clock.nowMs()
    bus.on(Noted, { group: 'points', retry: { immediate: 1, delayed: 2, baseMs: 10_000 } }, (_, { attempt }) => {
      attempts.push({ attempt, atMs: Math.round((clock.nowMs() - startMs) / 1_000) * 1_000 })
      throw new Error('database down')
    })
    await bus.start()
    const { id } = await bus.publish(Noted, { n: 1 })
    await clock.advance(longMs)
    expect(attempts).toEqual([
      { attempt: 1, atMs: 0 },
      { attempt: 2, atMs: 0 },
      { attempt: 3, atMs: 5_000 },
      { attempt: 4, atMs: 5_000 },
      { attempt: 5, atMs: 15_000 },
      { attempt: 6, atMs: 15_000 },
    ])
    const { letters } = await bus.deadLetters(Noted, { group: 'points' }).browse()
    expect(letters).toMatchObject([
      { id, code: 'ATTEMPTS_EXHAUSTED', attempts: 3, reason: expect.stringContaining('database down') },
    ])
    expect(bus.stats()[0]).toMatchObject({ delivered: 3, redelivered: 2, retried: 2, deadLettered: 1, unsettled: 0 })
  })

  it('goes straight to the dead letters without retries', async () => {
    const { bus, clock } = await memoryRig()
    let tries = 0
    bus.on(Noted, { group: 'points', retry: false }, () => {
      tries += 1
      throw new Error('no')
    })
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await clock.advance(longMs)
    expect(tries).toBe(1)
    expect((await bus.deadLetters(Noted, { group: 'points' }).browse()).letters).toHaveLength(1)
  })

  it('ends in the dead letters also for messages whose headers leave no room for them', async () => {
    const { bus, clock, engine } = await memoryRig()
    bus.on(Noted, { group: 'points', retry: false }, () => {
      throw new Error('no')
    })
    await bus.start()
    const record = recordOf({ headers: { note: 'x'.repeat(engine.capabilities.headerBytesMax - 4) } })
    expect(await engine.publish([record])).toEqual([succeeded])
    await clock.advance(0)
    const { letters } = await bus.deadLetters(Noted, { group: 'points' }).browse()
    expect(letters).toMatchObject([{ id: record.id, code: 'ATTEMPTS_EXHAUSTED', headers: {} }])
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 1, unsettled: 0 })
  })

  it('counts the deliveries that ended with their process', async () => {
    const store = memoryStore()
    for (let crash = 0; crash < 3; crash++) {
      const { bus, clock } = await memoryRig({ engine: memory({ store }) })
      // The process dies while the handler runs: nothing is closed, the engine's members vanish.
      bus.on(Noted, { group: 'points', retry: { delayed: 2 } }, () => new Promise(() => {}))
      await bus.start()
      if (crash === 0) await bus.publish(Noted, { n: 1 }, { id: 'killer' })
      await clock.advance(0)
      expect(bus.stats()[0]).toMatchObject({ running: 1 })
      store.crash()
    }
    const { bus, clock } = await memoryRig({ engine: memory({ store }) })
    let handled = 0
    bus.on(Noted, { group: 'points', retry: { delayed: 2 } }, () => {
      handled += 1
    })
    await bus.start()
    await clock.advance(0)
    const { letters } = await bus.deadLetters(Noted, { group: 'points' }).browse()
    expect(handled).toBe(0)
    expect(letters).toMatchObject([{ id: 'killer', code: 'ATTEMPTS_EXHAUSTED', attempts: 4 }])
  })

  it('does not count what a close has handed back', async () => {
    const store = memoryStore()
    const attempts: number[] = []
    for (let deploy = 0; deploy < 5; deploy++) {
      const engine = memory({ store })
      const { bus, clock } = await memoryRig({ engine })
      bus.on(Noted, { group: 'points', retry: { delayed: 0 } }, (_, { attempt, signal }) => {
        attempts.push(attempt)
        return new Promise((_resolve, fail) => signal.addEventListener('abort', () => fail(signal.reason)))
      })
      await bus.start()
      if (deploy === 0) await bus.publishAll(Noted, [{ n: 1 }, { n: 2 }])
      await clock.advance(0)
      const closing = bus.close({ graceMs: 100 })
      await clock.advance(2_000)
      await closing
      await engine.close()
    }
    expect(attempts).toEqual(Array.from({ length: 10 }, () => 1))
  })
})

describe('order, whatever fails', () => {
  /** What the handler does with one message, attempt by attempt; success after that. */
  type Fate = 'ok' | 'throws' | 'rejects later' | 'asks for a later attempt' | 'refuses'
  const fate = fc.constantFrom<Fate>('ok', 'ok', 'throws', 'rejects later', 'asks for a later attempt', 'refuses')
  const message = fc.record({ key: fc.constantFrom('a', 'b', 'c'), fates: fc.array(fate, { maxLength: 4 }) })

  it('is kept per key, and everything is acknowledged or a dead letter, once', async () => {
    const options = fc.record({
      concurrency: fc.integer({ min: 1, max: 8 }),
      prefetch: fc.integer({ min: 1, max: 20 }),
      immediate: fc.integer({ min: 0, max: 2 }),
      seed: fc.integer(),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 25 }), options, async (messages, how) => {
        let state = how.seed
        const random = (): number => {
          state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
          return state / 0x80000000
        }
        const { bus, clock } = await memoryRig({ random })
        const tries = new Map<number, number>()
        const running = new Set<string>()
        /** Messages in the order in which they were done with, per key. */
        const done: Record<string, number[]> = {}
        const finish = (key: string, n: number): void => {
          done[key] = [...(done[key] ?? []), n]
        }
        const retry = { immediate: how.immediate, delayed: 2, baseMs: 1_000 }
        const { concurrency, prefetch } = how
        let most = 0
        bus.on(Ordered, { group: 'points', retry, concurrency, prefetch }, async ({ key, n }) => {
          expect(running.has(key)).toBe(false)
          running.add(key)
          most = Math.max(most, running.size)
          const attempt = (tries.get(n) ?? 0) + 1
          tries.set(n, attempt)
          if (random() < 0.5) await Promise.resolve()
          running.delete(key)
          const what = messages[n]!.fates[attempt - 1] ?? 'ok'
          if (what === 'throws') throw new Error('no')
          if (what === 'rejects later') return Promise.reject(new Error('no'))
          if (what === 'asks for a later attempt') return retryLater('not yet', { afterMs: 300 })
          finish(key, n)
          return what === 'refuses' ? reject('never') : undefined
        })
        await bus.start()
        await bus.publishAll(
          Ordered,
          messages.map(({ key }, n) => ({ key, n })),
        )
        await clock.advance(longMs)

        const { letters } = await bus.deadLetters(Ordered, { group: 'points' }).browse({ limit: 1_000 })
        const dead = letters.map(({ data }) => (JSON.parse(new TextDecoder().decode(data)) as { n: number }).n)
        const exhausted = letters.filter(({ code }) => code === 'ATTEMPTS_EXHAUSTED').map(({ id }) => id)
        const stats = bus.stats()[0]!
        expect(most).toBeLessThanOrEqual(concurrency)
        expect(stats).toMatchObject({ running: 0, unsettled: 0, lost: 0, restarts: 0 })
        expect(stats.acked + stats.deadLettered).toBe(messages.length)
        expect(new Set(dead).size).toBe(dead.length)
        expect(Object.values(done).flat().length + exhausted.length).toBe(messages.length)
        for (const numbers of Object.values(done)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
      }),
      { numRuns: 60 },
    )
  })

  it('costs other keys nothing while one is stuck', async () => {
    const { bus, clock } = await memoryRig()
    const handled: string[] = []
    bus.on(
      Ordered,
      { group: 'points', prefetch: 4, retry: { immediate: 0, delayed: 3, baseMs: 60_000 } },
      ({ key, n }) => {
        if (key === 'stuck') throw new Error('no')
        handled.push(`${key}${n}`)
      },
    )
    await bus.start()
    const stuck = Array.from({ length: 20 }, (_, n) => ({ key: 'stuck', n }))
    await bus.publishAll(Ordered, [...stuck, { key: 'a', n: 1 }, { key: 'b', n: 1 }])
    await clock.advance(100)
    expect(handled).toEqual(['a1', 'b1'])
    expect(bus.stats()[0]).toMatchObject({ unsettled: 0, retried: 1 })
  })

  it('is kept by what a handler publishes under the same key', async () => {
    const { bus, clock } = await memoryRig()
    const Derived = event('shop.derived', { data: z.object({ n: z.number() }), key: () => 'k' })
    const seen: number[] = []
    let failures = 0
    bus.on(Ordered, { group: 'points' }, async ({ n }, context) => {
      await context.publish(Derived, { n })
      if (n % 3 === 0 && failures++ < 4) throw new Error('no')
    })
    bus.on(Derived, { group: 'mail' }, ({ n }) => {
      seen.push(n)
    })
    await bus.start()
    await bus.publishAll(
      Ordered,
      Array.from({ length: 10 }, (_, n) => ({ key: 'k', n })),
    )
    await clock.advance(longMs)
    expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })
})

describe('prefetch', () => {
  it('is never exceeded, and never starves', async () => {
    const { bus, clock } = await memoryRig()
    let most = 0
    let handled = 0
    bus.on(Noted, { group: 'points', prefetch: 7, concurrency: 3 }, async () => {
      most = Math.max(most, bus.stats()[0]!.unsettled)
      await Promise.resolve()
      handled += 1
    })
    await bus.start()
    await bus.publishAll(
      Noted,
      Array.from({ length: 500 }, (_, n) => ({ n })),
    )
    await clock.advance(0)
    expect(handled).toBe(500)
    expect(most).toBe(7)
  })
})

describe('dead letters', () => {
  /** Two groups, of which one refuses everything while `broken`. */
  async function refusing() {
    const rig = await memoryRig()
    const state = { broken: true, points: [] as string[], mail: [] as string[], attempts: [] as number[] }
    rig.bus.on(Noted, { group: 'points', retry: false }, (_, { id, attempt }) => {
      state.attempts.push(attempt)
      if (state.broken) throw reject('no such order')
      state.points.push(id)
    })
    rig.bus.on(Noted, { group: 'mail' }, (_, { id }) => {
      state.mail.push(id)
    })
    await rig.bus.start()
    for (const id of ['a', 'b', 'c', 'd', 'e'])
      await rig.bus.publish(Noted, { n: 1 }, { id, headers: { tenant: 't1' } })
    await rig.clock.advance(0)
    state.broken = false
    state.mail.length = 0
    return { ...rig, state, letters: rig.bus.deadLetters(Noted, { group: 'points' }) }
  }

  it('are browsed page by page, oldest first', async () => {
    const { letters } = await refusing()
    const first = await letters.browse({ limit: 3 })
    expect(first.letters.map(({ id }) => id)).toEqual(['a', 'b', 'c'])
    const second = await letters.browse({ limit: 3, after: first.next! })
    expect(second.letters.map(({ id }) => id)).toEqual(['d', 'e'])
    expect(second.next).toBeUndefined()
    expect(first.letters[0]).toMatchObject({
      code: 'HANDLER_REJECTED',
      reason: 'no such order',
      headers: { tenant: 't1' },
    })
  })

  it('go back to the group that failed them, and to no other, as they were and as a first attempt', async () => {
    const { letters, clock, state } = await refusing()
    state.attempts.length = 0
    expect(await letters.redrive({ all: true })).toEqual({ moved: 5, failed: [], end: 'complete', next: undefined })
    await clock.advance(0)
    expect(state.points).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(state.attempts).toEqual([1, 1, 1, 1, 1])
    expect(state.mail).toEqual([])
    expect((await letters.browse()).letters).toEqual([])
  })

  it('are redriven by id, by position, or as many as asked for', async () => {
    const { letters, clock, state } = await refusing()
    expect(await letters.redrive({ ids: ['d', 'b'] })).toMatchObject({ moved: 2 })
    const { position } = (await letters.browse()).letters[2]!
    expect(await letters.redrive({ positions: [position] })).toMatchObject({ moved: 1 })
    expect(await letters.redrive({ all: true, limit: 1 })).toMatchObject({ moved: 1 })
    await clock.advance(0)
    expect(state.points).toEqual(['b', 'd', 'e', 'a'])
    expect((await letters.browse()).letters.map(({ id }) => id)).toEqual(['c'])
  })

  it('that are not there are named', async () => {
    const { letters } = await refusing()
    const byId = await letters.redrive({ ids: ['a', 'x'] })
    expect(byId).toMatchObject({ moved: 1, failed: [{ id: 'x', position: undefined, error: { code: 'NOT_FOUND' } }] })
    const byPosition = await letters.redrive({ positions: ['nowhere'] })
    expect(byPosition).toMatchObject({ moved: 0, failed: [{ id: undefined, position: 'nowhere' }] })
  })

  it('are redriven once, also when two people do so at a time', async () => {
    const { letters, clock, state } = await refusing()
    const reports = await Promise.all([letters.redrive({ all: true }), letters.redrive({ all: true })])
    await clock.advance(0)
    expect(reports.reduce((sum, { moved }) => sum + moved, 0)).toBe(5)
    expect(state.points.sort()).toEqual(['a', 'b', 'c', 'd', 'e'])
  })

  /** Dead letters as a script has them, two on each page. */
  async function scripted(pages: BrowsePage[], move: Browsing['move']) {
    const { bus, engine, clock } = scriptedRig()
    await bus.start()
    Object.assign(engine, { browsing: { browse: async () => pages.shift()!, move } })
    return { letters: bus.deadLetters(Noted, { group: 'points' }), clock }
  }

  const letter = (id: string, position: string, storedAtMs = manualClock().nowMs()): BrowsedRecord => {
    return { position, storedAtMs, record: recordOf({ id }) }
  }

  it('that die again are not redriven again by the same redrive', async () => {
    const moved: string[] = []
    const { letters } = await scripted(
      [
        { records: [letter('a', '1'), letter('b', '2')], next: '2' },
        { records: [letter('a', '3'), letter('c', '4', Number.POSITIVE_INFINITY)], next: undefined },
      ],
      async (_, moves) => {
        moved.push(...moves.map(({ position }) => position))
        return moves.map(() => succeeded)
      },
    )
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 2, failed: [] })
    expect(moved).toEqual(['1', '2'])
  })

  it('that die again are not redriven again when they were chosen by id, either', async () => {
    const moved: string[] = []
    const { letters } = await scripted(
      [
        { records: [letter('a', '1'), letter('b', '2')], next: '2' },
        { records: [letter('a', '3', Number.POSITIVE_INFINITY)], next: undefined },
      ],
      async (_, moves) => {
        moved.push(...moves.map(({ position }) => position))
        return moves.map(() => succeeded)
      },
    )
    expect(await letters.redrive({ ids: ['a'] })).toMatchObject({ moved: 1 })
    expect(moved).toEqual(['1'])
  })

  it('that the engine does not move are named', async () => {
    const { letters } = await scripted(
      [{ records: [letter('a', '1'), letter('b', '2'), letter('c', '3')], next: undefined }],
      async () => [{ ok: false, error: new PosthasteError('NOT_FOUND', 'gone') }, succeeded],
    )
    const { moved, failed } = await letters.redrive({ all: true })
    expect(moved).toBe(1)
    expect(failed).toMatchObject([
      { id: 'a', position: '1', error: { code: 'NOT_FOUND' } },
      { id: 'c', position: '3', error: { code: 'UNAVAILABLE' } },
    ])
  })

  it('of a command need no group', async () => {
    const { bus } = await refusing()
    const Deduct = command('shop.stock.deduct', { data: z.any() })
    expect(await bus.deadLetters(Deduct).browse()).toEqual({ letters: [], next: undefined })
  })

  it('of an event are those of a group', async () => {
    const { bus } = await refusing()
    expect(() => bus.deadLetters(Noted, undefined as never)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  it('are those of a group whose name is one', async () => {
    const { bus } = await refusing()
    for (const of of [null, {}, { group: 'a.b' }, { group: '' }, { group: 5 }, { group: 'points', limit: 1 }]) {
      expect(() => bus.deadLetters(Noted, of as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    }
  })

  it('of a group that there is not are none, and looking for them makes no channel', async () => {
    const { bus, engine } = await refusing()
    const letters = bus.deadLetters(Noted, { group: 'pionts' })
    expect(await letters.browse()).toEqual({ letters: [], next: undefined })
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 0, failed: [], end: 'complete' })
    const query = { channel: 'posthaste.dead.pionts.shop.noted', limit: 1 }
    expect(await errorOf(engine.browsing!.browse(query))).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('are redriven also by who has no handler for them', async () => {
    const { engine, clock, state } = await refusing()
    const { bus } = await memoryRigOn(engine)
    expect(await bus.deadLetters(Noted, { group: 'points' }).redrive({ all: true })).toMatchObject({ moved: 5 })
    await clock.advance(0)
    expect(state.points).toHaveLength(5)
  })

  it('are asked for in one way at a time', async () => {
    const { letters } = await refusing()
    for (const selection of [
      {},
      { all: true, ids: ['a'] },
      { ids: 'a' },
      { everything: true },
      { all: true, limit: 0 },
    ]) {
      expect(await errorOf(letters.redrive(selection as never))).toMatchObject({ code: 'CONFIG_INVALID' })
    }
    for (const query of [{ limit: 0 }, { limit: 10_001 }, { after: 5 }]) {
      expect(await errorOf(letters.browse(query as never))).toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })

  it('need an engine that can look into channels and address groups', async () => {
    const { bus: blindBus } = scriptedRig()
    const { bus: muteBus } = scriptedRig({ can: { groupAddress: 'none' } })
    await Promise.all([blindBus.start(), muteBus.start()])
    const of = { group: 'points' }
    expect(await errorOf(blindBus.deadLetters(Noted, of).browse())).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(await errorOf(muteBus.deadLetters(Noted, of).redrive({ all: true }))).toMatchObject({
      code: 'CAPABILITY_UNSUPPORTED',
    })
  })
})

/** A started bus on an engine that is open already. */
async function memoryRigOn(engine: Engine, clock = manualClock()) {
  const bus = createBus({ name: 'shop', engine, clock, log: silentLog, instance: 'shop-1', random: half })
  await bus.start()
  return { bus }
}

describe('messages for later', () => {
  it('come when they are due, unless they are taken back', async () => {
    const { bus, clock } = await memoryRig()
    const seen: number[] = []
    bus.on(Noted, { group: 'points' }, ({ n }) => {
      seen.push(n)
    })
    await bus.start()
    await bus.schedule(Noted, { n: 1 }, { delayMs: 10_000 })
    const { id } = await bus.schedule(Noted, { n: 2 }, { delayMs: 10_000 })
    await clock.advance(9_000)
    expect(seen).toEqual([])
    expect(await bus.cancel(Noted, id)).toBe(true)
    await clock.advance(2_000)
    expect(seen).toEqual([1])
    expect(await bus.cancel(Noted, id)).toBe(false)
  })

  it('that nobody came to handle in time are dead letters', async () => {
    const { bus, clock } = await memoryRig()
    const Fresh: EventContract = event('shop.fresh', { data: z.any(), timeToLiveMs: 1_000 })
    bus.on(Fresh, { group: 'points', from: 'earliest' }, () => {})
    await bus.start()
    await bus.publish(Fresh, 1)
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ acked: 1 })
    expect((await bus.deadLetters(Fresh, { group: 'points' }).browse()).letters).toEqual([])
  })
})
