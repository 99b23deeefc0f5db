import { type FilterEvent, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type SheddingOptions, shedding } from './shedding.ts'

const target = 'shop.Orders/createOrder'

/** A server behind the filter, whose work ends when the test says so. */
function setUp(options: SheddingOptions) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, random: () => 0.5, target, onEvent: (event) => events.push(event) })
  const filter = shedding(options, deps)
  const begun: string[] = []
  const ended: string[] = []
  const works: PromiseWithResolvers<void>[] = []
  const start = (id: string, urgency?: number, init: Partial<CallInit> = {}): void => {
    const headers: Record<string, string> = urgency === undefined ? {} : { priority: `u=${urgency}` }
    const call = createCall({ kind: 'serve', target, id, payload: 1, headers, ...init })
    const answer = (async () =>
      filter.apply(call, () => {
        begun.push(id)
        const work = Promise.withResolvers<void>()
        works.push(work)
        return work.promise
      }))()
    answer.then(
      () => ended.push(`${id} done`),
      (error) => ended.push(`${id} ${PosthasteError.is(error) ? error.code : 'failed'}`),
    )
  }
  /** Ends what was begun first. */
  const end = async (): Promise<void> => {
    works.shift()?.resolve()
    await clock.advance(0)
  }
  const shed = (): unknown => filter.snapshot?.().shed
  return { clock, events, filter, start, end, begun, ended, shed }
}

describe('shedding', () => {
  it('lets calls through as they are while there are slots, without asking how urgent they are', () => {
    const urgency = (): never => {
      throw new Error('nobody asks')
    }
    const { filter } = setUp({ concurrency: 1, urgency })
    const call = createCall({ kind: 'serve', target, id: '1', payload: 1 })
    expect(filter.apply(call, () => 7)).toBe(7)
    expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0, standing: false })
  })

  it('has the more urgent go first, and equals in the order they came', async () => {
    const { start, end, begun } = setUp({ concurrency: 1 })
    start('running')
    start('later', 5)
    start('usual 1')
    start('urgent', 0)
    start('usual 2', 3)
    for (let n = 0; n < 4; n++) await end()
    expect(begun).toEqual(['running', 'urgent', 'usual 1', 'usual 2', 'later'])
  })

  it('has the latest of the least urgent make room for the more urgent, and refuses whoever is not', async () => {
    const { start, end, ended, shed, events, begun } = setUp({ concurrency: 1, queue: 3 })
    start('running')
    start('low 1', 6)
    start('low 2', 6)
    start('usual')
    start('urgent', 1)
    start('lowest', 7)
    start('equal', 6)
    await end()
    expect(ended.toSorted()).toEqual(['equal OVERLOADED', 'low 2 OVERLOADED', 'lowest OVERLOADED', 'running done'])
    expect(shed()).toEqual({ priority: 1, age: 0, full: 2 })
    expect(events).toMatchObject([
      { role: 'shedding', kind: 'shed', target, by: 'priority', urgency: 6, waitedMs: 0 },
      { by: 'full', urgency: 7 },
      { by: 'full', urgency: 6 },
    ])
    for (let n = 0; n < 3; n++) await end()
    expect(begun).toEqual(['running', 'urgent', 'usual', 'low 1'])
  })

  it('tells whom it refuses that nothing was begun, and when to come again', async () => {
    const { filter, start } = setUp({ concurrency: 1, queue: 0 })
    start('running')
    const call = createCall({ kind: 'serve', target, id: '1', payload: 1 })
    expect(() => filter.apply(call, () => 1)).toThrow(
      expect.objectContaining({ code: 'OVERLOADED', notSent: true, retryAfterMs: 1_000 }),
    )
  })

  it('lets calls wait for as long as they must while the queue is empty now and then', async () => {
    const { start, end, begun, clock, shed } = setUp({ concurrency: 1 })
    start('a')
    start('b')
    await clock.advance(99)
    await end()
    start('c')
    await clock.advance(99)
    await end()
    expect(begun).toEqual(['a', 'b', 'c'])
    expect(shed()).toMatchObject({ age: 0 })
  })

  it('sheds those that have waited for longer than the target once the queue has stood for the interval', async () => {
    const { start, end, begun, clock, ended, shed, filter } = setUp({ concurrency: 1 })
    start('a')
    for (const id of ['b', 'c']) start(id)
    await clock.advance(96)
    for (const id of ['d', 'e']) start(id)
    await clock.advance(4)
    expect(filter.snapshot?.()).toMatchObject({ standing: true, waiting: 4 })
    await end()
    expect(ended).toEqual(['b OVERLOADED', 'c OVERLOADED', 'a done'])
    expect(begun).toEqual(['a', 'd'])
    expect(shed()).toEqual({ priority: 0, age: 2, full: 0 })
  })

  it('never leaves a slot free for the sake of the target, and keeps it for the most urgent', async () => {
    const { start, end, begun, clock, ended } = setUp({ concurrency: 1 })
    start('a')
    start('urgent 1', 1)
    start('urgent 2', 1)
    await clock.advance(100)
    start('fresh', 6)
    await end()
    expect(begun).toEqual(['a', 'urgent 2'])
    expect(ended).toEqual(['urgent 1 OVERLOADED', 'a done'])
    await clock.advance(200)
    await end()
    expect(begun).toEqual(['a', 'urgent 2', 'fresh'])
  })

  it('has nobody wait for longer than they may, though nothing ends', async () => {
    const { start, clock, ended, shed, filter } = setUp({ concurrency: 1, queueTimeoutMs: 200 })
    start('running')
    const source = cancelSource()
    start('patient')
    start('hurried', 3, { deadlineAtMs: clock.monotonicMs() + 50 })
    start('gone', 3, { cancellation: source.token })
    source.cancel(new PosthasteError('CANCELLED', 'enough'))
    await clock.advance(60)
    expect(ended).toEqual(['gone CANCELLED', 'hurried DEADLINE_EXCEEDED'])
    await clock.advance(150)
    expect(ended).toEqual(['gone CANCELLED', 'hurried DEADLINE_EXCEEDED', 'patient OVERLOADED'])
    expect(shed()).toEqual({ priority: 0, age: 1, full: 0 })
    expect(filter.snapshot?.()).toMatchObject({ waiting: 0, cancelled: 1, late: 1 })
  })

  it('keeps a consumer from taking messages while all slots are taken', async () => {
    const { filter, start, end } = setUp({ concurrency: 1 })
    start('a')
    expect(filter.notReadyForMs?.()).toBe(10)
    await end()
    expect(filter.notReadyForMs?.()).toBe(0)
  })

  it('goes by what the application says is urgent', async () => {
    const { start, end, begun } = setUp({ concurrency: 1, urgency: ({ id }) => (id === 'checkout' ? 0 : 7) })
    for (const id of ['running', 'browse', 'checkout']) start(id)
    for (let n = 0; n < 2; n++) await end()
    expect(begun).toEqual(['running', 'checkout', 'browse'])
  })

  it('says how it is set, and tells of wrong options', () => {
    expect(setUp({ concurrency: 3 }).filter.describe()).toEqual({
      ...{ role: 'shedding', concurrency: 3, queue: 100, queueTimeoutMs: 1_000, targetMs: 5, intervalMs: 100 },
    })
    expect(() => setUp({ concurrency: 1, targetMs: 200 })).toThrow(
      /shedding\.intervalMs must not be below targetMs, 200/,
    )
  })
})

describe('a server that sheds', () => {
  it('goes on answering the urgent ones in time, however much else is asked for', async () => {
    const { filter, clock, begun, start, end } = setUp({ concurrency: 1, queue: 10 })
    const waits: number[] = []
    start('first')
    // One call takes 10 ms, three come meanwhile, and every tenth is urgent.
    for (let n = 0; n < 300; n++) {
      start(`${n}`, n % 10 === 0 ? 0 : 5)
      if (n % 3 === 2) await end()
      await clock.advance(10 / 3)
      if (n % 10 === 0) waits.push(n)
    }
    const urgent = begun.filter((id) => Number(id) % 10 === 0)
    expect(urgent).toHaveLength(waits.length)
    // No slot was left free: all that ended made room for another.
    expect(begun).toHaveLength(101)
    expect(filter.snapshot?.()).toMatchObject({ running: 1, peak: 1 })
  })

  it('ends every call once, and has no more run or wait than may, whatever happens', async () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('start' as const), urgency: fc.nat(7), leftMs: fc.constantFrom(30, 10_000) }),
      fc.constant({ kind: 'end' as const }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 10, 120) }),
    )
    const sizes = fc.record({ concurrency: fc.integer({ min: 1, max: 3 }), queue: fc.nat(5) })
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(step, { maxLength: 60 }), async (size, steps) => {
        const { start, end, clock, ended, begun, filter } = setUp({ ...size, queueTimeoutMs: 300 })
        let calls = 0
        for (const one of steps) {
          if (one.kind === 'start') start(`${calls++}`, one.urgency, { deadlineAtMs: clock.monotonicMs() + one.leftMs })
          else if (one.kind === 'end') await end()
          else await clock.advance(one.ms)
          const { running, waiting } = { running: 0, waiting: 0, ...filter.snapshot?.() }
          expect(running).toBeLessThanOrEqual(size.concurrency)
          expect(waiting).toBeLessThanOrEqual(size.queue)
          if (waiting > 0) expect(running).toBe(size.concurrency)
        }
        await clock.advance(1_000)
        for (let n = 0; n < calls; n++) await end()
        expect(ended).toHaveLength(calls)
        expect(new Set(ended.map((text) => text.split(' ')[0])).size).toBe(calls)
        expect(ended.filter((text) => text.endsWith('done'))).toHaveLength(begun.length)
        expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0 })
      }),
    )
  })
})
