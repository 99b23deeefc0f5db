import { type Browsing, type Engine, PosthasteError, reject } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf, memoryRig, Noted, Ordered } from '../../../test/bus/rig.ts'
import type { RedriveProgress } from './selection.ts'

const of = { group: 'points' }

/** Twelve hundred letters, more than one page, of a group that now takes what it is given. */
async function buried(count = 1_200) {
  const rig = await memoryRig()
  const state = { broken: true, seen: [] as number[] }
  rig.bus.on(Noted, { ...of, retry: false }, ({ n }) => {
    if (state.broken) throw reject('no such order')
    state.seen.push(n)
  })
  await rig.bus.start()
  const numbers = Array.from({ length: count }, (_, n) => n)
  for (const n of numbers) await rig.bus.publish(Noted, { n }, { id: `m${n}` })
  await rig.clock.advance(0)
  state.broken = false
  await rig.clock.advance(60_000)
  const letters = rig.bus.deadLetters(Noted, of)
  return { ...rig, state, numbers, letters, left: async () => (await letters.browse({ limit: 10_000 })).letters }
}

/** Has the engine fail after so many calls of a method. */
function failing(engine: Engine, method: keyof Browsing, callsMax: number): { calls: number; repair(): void } {
  const browsing = engine.browsing!
  const original = browsing[method].bind(browsing) as (...given: never[]) => Promise<never>
  const state = { calls: 0, repair: () => Object.assign(browsing, { [method]: original }) }
  const wrapped = async (...given: never[]): Promise<never> => {
    state.calls += 1
    if (state.calls > callsMax) throw new PosthasteError('UNAVAILABLE', 'the line is cut')
    return original(...given)
  }
  Object.assign(browsing, { [method]: wrapped })
  return state
}

describe('a redrive that is interrupted', () => {
  it('by the engine is begun again, and moves each letter once', async () => {
    const { engine, letters, clock, state, numbers } = await buried()
    const cut = failing(engine, 'move', 1)
    expect(await errorOf(letters.redrive({ all: true }))).toMatchObject({ code: 'UNAVAILABLE' })
    await clock.advance(0)
    expect(state.seen).toHaveLength(500)
    cut.repair()
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 700, failed: [], end: 'complete' })
    await clock.advance(0)
    expect(state.seen).toEqual(numbers)
  })

  it('while it looks loses nothing, either', async () => {
    const { engine, letters, clock, state, numbers } = await buried()
    const cut = failing(engine, 'browse', 2)
    expect(await errorOf(letters.redrive({ all: true }))).toMatchObject({ code: 'UNAVAILABLE' })
    cut.repair()
    await letters.redrive({ all: true })
    await clock.advance(0)
    expect(state.seen).toEqual(numbers)
  })

  it('by its signal ends before the next step and tells where to go on', async () => {
    const { letters, clock, state, numbers } = await buried()
    const controller = new AbortController()
    const report = await letters.redrive({
      all: true,
      signal: controller.signal,
      onProgress: ({ moved }) => moved >= 500 && controller.abort(),
    })
    expect(report).toMatchObject({ moved: 500, failed: [], end: 'aborted' })
    expect(report.next).toBeDefined()
    await letters.redrive({ all: true, after: report.next! })
    await clock.advance(0)
    expect(state.seen).toEqual(numbers)
  })

  it('by its signal while it waits for its rate ends at once', async () => {
    const { letters, clock, left } = await buried(3)
    const controller = new AbortController()
    const report = letters.redrive({ all: true, ratePerSecond: 0.01, signal: controller.signal })
    await clock.advance(1_000)
    controller.abort()
    expect(await report).toMatchObject({ moved: 1, end: 'aborted' })
    expect(await left()).toHaveLength(2)
    await clock.advance(1_000_000)
    expect(await left()).toHaveLength(2)
  })

  it('by its signal while it looks for what there is little of ends after the page', async () => {
    const { letters } = await buried()
    const controller = new AbortController()
    const told: RedriveProgress[] = []
    const onProgress = (progress: RedriveProgress): void => {
      told.push(progress)
      controller.abort()
    }
    const report = await letters.redrive({ where: { code: 'NONE' }, signal: controller.signal, onProgress })
    expect(report).toMatchObject({ moved: 0, end: 'aborted' })
    expect(told).toMatchObject([{ looked: 500 }])
  })

  it('by its signal before it waits for its rate does not begin to wait', async () => {
    const { letters, left } = await buried(3)
    const controller = new AbortController()
    const report = await letters.redrive({
      all: true,
      ratePerSecond: 0.01,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    expect(report).toMatchObject({ moved: 1, end: 'aborted' })
    expect(await left()).toHaveLength(2)
  })

  it('by the close of the bus ends, though it waits for its rate', async () => {
    const { bus, clock, letters } = await buried(3)
    const report = letters.redrive({ all: true, ratePerSecond: 0.01 })
    await clock.advance(0)
    await bus.close()
    expect(await report).toMatchObject({ moved: 1, end: 'aborted' })
  })

  it('before it begins has done nothing', async () => {
    const { letters, left } = await buried(3)
    const report = await letters.redrive({ all: true, signal: AbortSignal.abort() })
    expect(report).toEqual({ moved: 0, failed: [], end: 'aborted', next: undefined })
    expect(await left()).toHaveLength(3)
  })

  it('by who listens throws what they throw', async () => {
    const { letters, left } = await buried()
    const onProgress = () => {
      throw new Error('display gone')
    }
    await expect(letters.redrive({ all: true, onProgress })).rejects.toThrow('display gone')
    expect(await left()).toHaveLength(700)
  })
})

describe('a redrive', () => {
  it('keeps its rate', async () => {
    const { letters, clock, state } = await buried(100)
    const report = letters.redrive({ all: true, ratePerSecond: 20 })
    await clock.advance(0)
    expect(state.seen).toHaveLength(2)
    await clock.advance(1_000)
    expect(state.seen.length).toBeGreaterThan(15)
    expect(state.seen.length).toBeLessThanOrEqual(22)
    await clock.advance(10_000)
    expect(await report).toMatchObject({ moved: 100, end: 'complete' })
  })

  it('may be slower than one a second', async () => {
    const { letters, clock, state } = await buried(3)
    const report = letters.redrive({ all: true, ratePerSecond: 0.1 })
    await clock.advance(9_000)
    expect(state.seen).toHaveLength(1)
    await clock.advance(2_000)
    expect(state.seen).toHaveLength(2)
    await clock.advance(10_000)
    expect(await report).toMatchObject({ moved: 3 })
  })

  it('that is dry changes nothing and tells how many it would move', async () => {
    const { engine, letters, left, state, clock } = await buried(700)
    const moves = failing(engine, 'move', 0)
    expect(await letters.redrive({ all: true, dryRun: true })).toMatchObject({ moved: 700, failed: [] })
    expect(await letters.discard({ ids: ['m1', 'x'], dryRun: true })).toMatchObject({
      moved: 1,
      failed: [{ id: 'x', error: { code: 'NOT_FOUND' } }],
    })
    await clock.advance(0)
    expect(moves.calls).toBe(0)
    expect(state.seen).toEqual([])
    expect(await left()).toHaveLength(700)
  })

  it('makes no channel, and logs nothing where it is dry', async () => {
    const { bus, engine, log } = await memoryRig()
    await bus.start()
    const letters = bus.deadLetters(Noted, of)
    expect(await letters.browse()).toMatchObject({ letters: [] })
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 0 })
    expect(await letters.discard({ all: true, dryRun: true })).toMatchObject({ moved: 0 })
    const query = { channel: 'posthaste.dead.points.shop.noted', limit: 1 }
    expect(await errorOf(engine.browsing!.browse(query))).toMatchObject({ code: 'NOT_FOUND' })
    expect(log.entries).toEqual([])
  })

  it('of positions ends when it has them, and names none as missing that it may have passed', async () => {
    const { letters, left } = await buried()
    const [first, second] = await left()
    const positions = [first!.position, second!.position]
    expect(await letters.redrive({ positions })).toEqual({ moved: 2, failed: [], end: 'complete', next: undefined })
    const later = await letters.redrive({ ids: ['m0', 'm5'], after: (await left())[0]!.position })
    expect(later).toMatchObject({ moved: 1, failed: [], end: 'complete' })
  })

  it('tells how it gets on', async () => {
    const { letters } = await buried()
    const told: RedriveProgress[] = []
    await letters.redrive({ all: true, onProgress: (progress) => told.push(progress) })
    expect(told.map(({ moved }) => moved)).toEqual([500, 500, 1_000, 1_000, 1_200, 1_200])
    expect(told.at(-1)).toEqual({ looked: 1_200, moved: 1_200, failed: 0, next: undefined })
  })

  it('of a limited number tells where to go on', async () => {
    const { letters, clock, state } = await buried(10)
    const first = await letters.redrive({ all: true, limit: 4, dryRun: true })
    expect(first).toMatchObject({ moved: 4, end: 'limit' })
    const second = await letters.redrive({ all: true, after: first.next! })
    expect(second).toMatchObject({ moved: 6, end: 'complete', next: undefined })
    await clock.advance(0)
    expect(state.seen).toEqual([4, 5, 6, 7, 8, 9])
  })

  it('that runs beside others moves each letter once between them', async () => {
    const { letters, clock, state, numbers } = await buried()
    const reports = await Promise.all([1, 2, 3].map(() => letters.redrive({ all: true })))
    await clock.advance(0)
    expect(reports.reduce((sum, { moved }) => sum + moved, 0)).toBe(1_200)
    expect(state.seen).toEqual(numbers)
    for (const { failed } of reports) {
      expect(failed.every(({ error }) => error.code === 'NOT_FOUND')).toBe(true)
    }
  })

  it('stops when so many fail that something else is wrong', async () => {
    const { engine, letters } = await buried(1_600)
    const refused = { ok: false, error: new PosthasteError('CONFLICT', 'being handled') }
    Object.assign(engine.browsing!, { move: async (_: string, moves: readonly unknown[]) => moves.map(() => refused) })
    const report = await letters.redrive({ all: true })
    expect(report).toMatchObject({ moved: 0, end: 'failures' })
    expect(report.failed).toHaveLength(1_000)
    expect(report.next).toBeDefined()
  })

  it('leaves what died again, though it is as old as the redrive itself', async () => {
    const { bus, clock, letters, state, left } = await buried(2)
    state.broken = true
    const redriven = letters.redrive({ all: true, ratePerSecond: 1 })
    await clock.advance(10_000)
    expect(await redriven).toMatchObject({ moved: 2 })
    expect(await left()).toHaveLength(2)
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 4 })
  })

  it('moves both of two letters that carry one id', async () => {
    const { bus, clock, letters, state } = await buried(1)
    state.broken = true
    await bus.publish(Noted, { n: 7 }, { id: 'm0' })
    await clock.advance(60_000)
    state.broken = false
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 2 })
    await clock.advance(0)
    expect(state.seen).toEqual([0, 7])
  })
})

/** What people may do to dead letters, one after the other or at once. */
const action = fc.oneof(
  fc.record({ kind: fc.constant('redrive' as const), limit: fc.integer({ min: 1, max: 4 }) }),
  fc.record({ kind: fc.constant('discard' as const), id: fc.nat({ max: 9 }) }),
  fc.record({ kind: fc.constant('aborted' as const), steps: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ kind: fc.constant('cut' as const), calls: fc.nat({ max: 2 }) }),
  fc.record({ kind: fc.constant('together' as const), limit: fc.integer({ min: 1, max: 4 }) }),
)

describe('whatever is done to dead letters', () => {
  it('each is handled again once or discarded once', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 8 }), async (actions) => {
        const { engine, letters, clock, state, numbers } = await buried(10)
        let discarded = 0
        for (const each of actions) {
          if (each.kind === 'redrive') await letters.redrive({ all: true, limit: each.limit })
          else if (each.kind === 'discard') discarded += (await letters.discard({ ids: [`m${each.id}`] })).moved
          else if (each.kind === 'together') {
            const given = { all: true, limit: each.limit } as const
            await Promise.all([letters.redrive(given), letters.redrive(given)])
          } else if (each.kind === 'aborted') {
            const controller = new AbortController()
            let steps = 0
            const onProgress = (): void => {
              if (++steps === each.steps) controller.abort()
            }
            const redriven = letters.redrive({ all: true, ratePerSecond: 10, onProgress, signal: controller.signal })
            await clock.advance(10_000)
            expect(await redriven).toMatchObject({ failed: [] })
          } else {
            const line = failing(engine, 'move', each.calls)
            await letters.redrive({ all: true, limit: 3 }).catch(() => {})
            line.repair()
          }
        }
        await letters.redrive({ all: true })
        await clock.advance(0)
        expect(state.seen).toHaveLength(numbers.length - discarded)
        expect(new Set(state.seen).size).toBe(state.seen.length)
        expect((await letters.browse()).letters).toEqual([])
      }),
      { numRuns: 60 },
    )
  })
})

describe('dead letters that match', () => {
  /** Letters of two keys, two reasons and two times. */
  async function mixed() {
    const rig = await memoryRig()
    rig.bus.on(Ordered, { ...of, retry: false }, ({ n }) => {
      throw n % 2 === 0 ? reject('no') : new Error('broken')
    })
    await rig.bus.start()
    const publish = (key: string, n: number) =>
      rig.bus.publish(Ordered, { key, n }, { id: `${key}${n}`, correlationId: `c${n}` })
    for (const n of [1, 2]) await publish('a', n)
    await rig.clock.advance(1_000)
    const laterMs = rig.clock.nowMs()
    for (const n of [3, 4]) await publish('b', n)
    await rig.clock.advance(1_000)
    return { ...rig, laterMs, letters: rig.bus.deadLetters(Ordered, of) }
  }

  it('are found by code, key, correlation and time', async () => {
    const { letters, laterMs } = await mixed()
    const found = async (where: object) => (await letters.browse({ where })).letters.map(({ id }) => id)
    expect(await found({ code: 'HANDLER_REJECTED' })).toEqual(['a2', 'b4'])
    expect(await found({ key: 'a' })).toEqual(['a1', 'a2'])
    expect(await found({ correlationId: 'c3' })).toEqual(['b3'])
    expect(await found({ sinceMs: laterMs })).toEqual(['b3', 'b4'])
    expect(await found({ untilMs: laterMs })).toEqual(['a1', 'a2'])
    expect(await found({ code: 'HANDLER_REJECTED', key: 'b', sinceMs: laterMs })).toEqual(['b4'])
    expect(await found({ key: 'c' })).toEqual([])
  })

  it('are paged without losing any', async () => {
    const { letters } = await mixed()
    const where = { code: 'ATTEMPTS_EXHAUSTED' }
    const first = await letters.browse({ where, limit: 1 })
    expect(first.letters.map(({ id }) => id)).toEqual(['a1'])
    const second = await letters.browse({ where, limit: 1, after: first.next! })
    expect(second.letters.map(({ id }) => id)).toEqual(['b3'])
    expect((await letters.browse({ where, after: second.next! })).letters).toEqual([])
  })

  it('are redriven and discarded, and no others', async () => {
    const { letters } = await mixed()
    expect(await letters.redrive({ where: { key: 'a' }, dryRun: true })).toMatchObject({ moved: 2 })
    expect(await letters.discard({ where: { code: 'HANDLER_REJECTED' } })).toMatchObject({ moved: 2 })
    expect((await letters.browse()).letters.map(({ id }) => id)).toEqual(['a1', 'b3'])
  })
})

describe('dead letters that are discarded', () => {
  it('are gone, which is logged once', async () => {
    const { letters, left, clock, state, log } = await buried()
    expect(await letters.discard({ all: true })).toMatchObject({ moved: 1_200, failed: [], end: 'complete' })
    await clock.advance(0)
    expect(await left()).toEqual([])
    expect(state.seen).toEqual([])
    const told = log.entries.filter(({ message }) => message === 'dead letters were discarded')
    expect(told).toMatchObject([{ fields: { channel: 'posthaste.dead.points.shop.noted', count: 1_200, failed: 0 } }])
  })

  it('and are gone already are named', async () => {
    const { letters, left } = await buried(2)
    const [first] = await left()
    await letters.discard({ ids: ['m0'] })
    const report = await letters.discard({ positions: [first!.position] })
    expect(report).toMatchObject({ moved: 0, failed: [{ position: first!.position, error: { code: 'NOT_FOUND' } }] })
  })

  it('need no engine that addresses groups', async () => {
    const { engine, letters } = await buried(2)
    Object.assign(engine, { capabilities: { ...engine.capabilities, groupAddress: 'none' } })
    expect(await letters.discard({ all: true })).toMatchObject({ moved: 2 })
  })
})

describe('what is asked of dead letters', () => {
  it('is refused before the start and after the close', async () => {
    const { bus } = await memoryRig()
    const letters = bus.deadLetters(Noted, { group: 'points' })
    const asked = () => [letters.browse(), letters.redrive({ all: true, dryRun: true }), letters.discard({ all: true })]
    const codes = async () => (await Promise.all(asked().map(errorOf))).map(({ code }) => code)
    expect(new Set(await codes())).toEqual(new Set(['FAILED_PRECONDITION']))
    await bus.start()
    await bus.close()
    expect(new Set(await codes())).toEqual(new Set(['ENGINE_CLOSED']))
  })

  it('is checked, and every mistake told at once', async () => {
    const { letters } = await buried(0)
    const mistakes = [
      { all: true, where: { code: 'X' } },
      { where: 5 },
      { where: { reason: 'x' } },
      { where: { sinceMs: '2026' } },
      { all: true, ratePerSecond: 0 },
      { all: true, dryRun: 1 },
      { all: true, onProgress: 'log' },
      { all: true, signal: {} },
      { all: true, after: 3 },
    ]
    for (const given of mistakes) {
      expect(await errorOf(letters.redrive(given as never))).toMatchObject({ code: 'CONFIG_INVALID' })
      expect(await errorOf(letters.discard(given as never))).toMatchObject({ code: 'CONFIG_INVALID' })
    }
    const both = await errorOf(letters.browse({ limit: 0, where: { codes: 'X' } } as never))
    expect(both.issues.map(({ path }) => path)).toEqual(['browse.limit', 'browse.where.codes'])
  })
})
