import { type Call, type Cancellation, type FilterEvent, PosthasteError, type Service } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { retryBudget } from '../retry/retry-budget.ts'
import { type HedgeOptions, hedge } from './hedge.ts'

const tickMs = 10
const given = { kind: 'request', target: 't', id: '1', payload: 1, idempotent: true } as const
const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const notFound = new PosthasteError('NOT_FOUND', 'none')
const gone = new PosthasteError('CANCELLED', 'gone')

/** What an attempt does: ends so after so long, or never. */
interface Script {
  readonly afterMs: number
  readonly end: 'value' | 'unavailable' | 'notFound'
}

function setUp(options: HedgeOptions = {}) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, target: 't', onEvent: (event) => events.push(event) })
  const filter = hedge(options, deps)
  const calls: Call<number>[] = []
  const startMs = clock.monotonicMs()
  const startsMs: number[] = []
  /** Answers with the attempt's index, each attempt by its script. */
  const scripted = (scripts: readonly Script[]) => {
    const service: Service<number, number> = (call) => {
      const index = calls.push(call) - 1
      startsMs.push(clock.monotonicMs() - startMs)
      const script = scripts[index]
      return new Promise((resolve, reject) => {
        if (script === undefined || script.afterMs === Number.POSITIVE_INFINITY) return
        clock.setTimer(script.afterMs, () => {
          if (script.end === 'value') resolve(index)
          else reject(script.end === 'notFound' ? notFound : unavailable)
        })
      })
    }
    return compose([filter], service)
  }
  return { clock, filter, events, calls, startsMs, scripted }
}

const value = (afterMs: number): Script => ({ afterMs, end: 'value' })
const fails = (afterMs: number): Script => ({ afterMs, end: 'unavailable' })
const isFinal = (afterMs: number): Script => ({ afterMs, end: 'notFound' })
const never = value(Number.POSITIVE_INFINITY)

/** How a call ends within a minute, and how long it takes. */
async function outcome(clock: ReturnType<typeof manualClock>, run: () => unknown) {
  const startMs = clock.monotonicMs()
  let ended: { value?: unknown; thrown?: unknown; afterMs: number } | undefined
  const running = (async () => run())().then(
    (value) => {
      ended = { value, afterMs: clock.monotonicMs() - startMs }
    },
    (thrown: unknown) => {
      ended = { thrown, afterMs: clock.monotonicMs() - startMs }
    },
  )
  await clock.advance(60_000)
  if (ended !== undefined) await running
  return ended
}

describe('a hedge', () => {
  it('does nothing to a call that is fast', async () => {
    const { clock, scripted, calls, filter, events } = setUp({ delayMs: 100 })
    expect(await outcome(clock, () => scripted([value(90)])(createCall(given)))).toEqual({ value: 0, afterMs: 90 })
    expect(calls).toHaveLength(1)
    expect(calls[0]?.cancellation.reason).toBeUndefined()
    expect(filter.snapshot?.()).toMatchObject({ calls: 1, hedged: 0 })
    expect(events).toEqual([])
  })

  it('makes a second attempt of a slow one, takes the first answer and cancels the other', async () => {
    const { clock, scripted, calls, filter, events } = setUp({ delayMs: 100 })
    const ended = await outcome(clock, () => scripted([value(1_000), value(20)])(createCall(given)))
    expect(ended?.value).toBe(1)
    expect(ended?.afterMs).toBeLessThanOrEqual(120 + tickMs)
    expect(calls).toHaveLength(2)
    expect(calls[0]?.cancellation.reason).toMatchObject({ code: 'CANCELLED' })
    expect(calls[1]?.cancellation.reason).toBeUndefined()
    expect(filter.snapshot?.()).toMatchObject({ calls: 1, hedged: 1, won: 1, overBudget: 0 })
    expect(events).toEqual([
      { role: 'hedge', kind: 'hedged', target: 't', id: '1', attempt: 2, delayMs: 100 },
      { role: 'hedge', kind: 'hedgeWon', target: 't', id: '1', attempt: 2 },
    ])
  })

  it('takes the first attempt’s answer where that comes first, and cancels the second', async () => {
    const { clock, scripted, calls, filter } = setUp({ delayMs: 100 })
    const ended = await outcome(clock, () => scripted([value(150), value(500)])(createCall(given)))
    expect(ended).toEqual({ value: 0, afterMs: 150 })
    expect(calls.map(({ cancellation }) => cancellation.reason?.code)).toEqual([undefined, 'CANCELLED'])
    expect(filter.snapshot?.()).toMatchObject({ hedged: 1, won: 0 })
  })

  it('takes an answer that is there at once from its second attempt', async () => {
    const { clock, filter } = setUp({ delayMs: 100 })
    let made = 0
    const run = compose<number, number>([filter], () => (++made === 1 ? new Promise(() => {}) : 7))
    expect(await outcome(clock, () => run(createCall(given)))).toMatchObject({ value: 7 })
  })

  it('stays synchronous where the answer is there at once', () => {
    const { clock, filter } = setUp({ delayMs: 100 })
    expect(compose([filter], () => 7)(createCall(given))).toBe(7)
    const fault = () => {
      throw unavailable
    }
    expect(() => compose([filter], fault)(createCall(given))).toThrow(unavailable)
    expect(clock.pending()).toBe(0)
  })

  it('makes as many attempts as it may, each after another delay', async () => {
    const { clock, scripted, startsMs } = setUp({ delayMs: 100, attempts: 4, budget: false })
    await outcome(clock, () => scripted([never, never, never, never, never])(createCall(given)))
    expect(startsMs).toEqual([0, 100, 200, 300])
  })

  it('makes them one after the other after a pause of the process, too', async () => {
    const clock = manualClock()
    const paused = { ...clock, setTimer: (ms: number, fire: () => void) => clock.setTimer(ms + 1_000, fire) }
    const startsMs: number[] = []
    const filter = hedge({ delayMs: 100, attempts: 3 }, filterDeps({ clock: paused }))
    void compose([filter], () => {
      startsMs.push(clock.monotonicMs() - 1_000)
      return new Promise(() => {})
    })(createCall(given))
    await clock.advance(1_150)
    expect(startsMs).toEqual([0, 1_100])
  })

  it('lets a failure before the delay surface at once: that is the retry’s', async () => {
    const { clock, scripted, calls } = setUp({ delayMs: 100 })
    expect(await outcome(clock, () => scripted([fails(50)])(createCall(given)))).toEqual({
      thrown: unavailable,
      afterMs: 50,
    })
    expect(calls).toHaveLength(1)
  })

  it('waits for the other attempt where one fails, unless no repetition would change the failure', async () => {
    const first = setUp({ delayMs: 100 })
    expect(await outcome(first.clock, () => first.scripted([fails(120), value(200)])(createCall(given)))).toEqual({
      value: 1,
      afterMs: 300,
    })
    const second = setUp({ delayMs: 100 })
    expect(await outcome(second.clock, () => second.scripted([value(500), fails(50)])(createCall(given)))).toEqual({
      value: 0,
      afterMs: 500,
    })
    const final = setUp({ delayMs: 100 })
    expect(await outcome(final.clock, () => final.scripted([value(500), isFinal(50)])(createCall(given)))).toEqual({
      thrown: notFound,
      afterMs: 150,
    })
    expect(final.calls[0]?.cancellation.reason).toMatchObject({ code: 'CANCELLED' })
  })

  it('surfaces the failure of the first attempt where all fail, even if another one failed before it', async () => {
    const { clock, filter } = setUp({ delayMs: 100 })
    const first = new Error('the first')
    let made = 0
    const run = compose<number, number>([filter], () => {
      if (++made === 2) throw unavailable
      return new Promise((_, reject) => clock.setTimer(150, () => reject(first)))
    })
    expect(await outcome(clock, () => run(createCall(given)))).toEqual({ thrown: first, afterMs: 150 })
  })

  it('leaves calls alone that are not idempotent, do not want it, or are messages', async () => {
    const { clock, scripted, calls, filter } = setUp({ delayMs: 100 })
    const run = scripted([])
    for (const change of [
      { idempotent: false },
      { overrides: { hedge: false as const } },
      { kind: 'publish' as const },
      { kind: 'handle' as const },
    ]) {
      const call = createCall({ ...given, ...change })
      void run(call)
      expect(calls.at(-1)).toBe(call)
    }
    await clock.advance(1_000)
    expect(calls).toHaveLength(4)
    expect(filter.snapshot?.()).toMatchObject({ calls: 0 })
  })

  it('hedges messages where it is asked to', async () => {
    const { clock, scripted, calls } = setUp({ delayMs: 100, messages: true })
    void scripted([])(createCall({ ...given, kind: 'handle' }))
    await clock.advance(1_000)
    expect(calls).toHaveLength(2)
  })

  it('makes no attempt of a call that is cancelled or whose deadline has passed', async () => {
    const { clock, scripted, calls, filter } = setUp({ delayMs: 100 })
    const source = cancelSource()
    const run = scripted([])
    void run(createCall({ ...given, cancellation: source.token }))
    void run(createCall({ ...given, deadlineAtMs: clock.monotonicMs() + 50 }))
    source.cancel(gone)
    await clock.advance(1_000)
    expect(calls).toHaveLength(2)
    expect(calls[0]?.cancellation.reason).toBe(gone)
    expect(filter.snapshot?.()).toMatchObject({ hedged: 0, overBudget: 0 })
  })

  it('lets a cancellation reach a stream that has begun', async () => {
    const { clock, filter } = setUp({ delayMs: 100 })
    const source = cancelSource()
    let inner: Cancellation | undefined
    const run = compose<number, unknown>([filter], async (call) => {
      inner = call.cancellation
      return (async function* () {})()
    })
    await run(createCall({ ...given, cancellation: source.token }))
    await clock.advance(500)
    source.cancel(gone)
    expect(inner?.reason).toBe(gone)
  })
})

describe('the budget of a hedge', () => {
  it('allows a tenth of the calls and one a second, and none beyond', async () => {
    const { clock, scripted, calls, filter } = setUp({ delayMs: 100 })
    const run = scripted([])
    for (let i = 0; i < 100; i++) void run(createCall(given))
    await clock.advance(200)
    expect(calls).toHaveLength(120)
    expect(filter.snapshot?.()).toMatchObject({ calls: 100, hedged: 20, overBudget: 80, budget: 0 })
  })

  it('may be shared, and is then only taken from', async () => {
    const clock = manualClock()
    let deposits = 0
    let withdrawals = 0
    const budget = { deposit: () => void deposits++, withdraw: () => ++withdrawals < 2, balance: () => 0 }
    const run = compose([hedge({ delayMs: 100, budget }, filterDeps({ clock }))], () => new Promise(() => {}))
    void run(createCall(given))
    void run(createCall(given))
    await clock.advance(200)
    expect([deposits, withdrawals]).toEqual([0, 2])
  })
})

describe('the observed delay of a hedge', () => {
  const after = async (rig: ReturnType<typeof setUp>, count: number, tookMs: number) => {
    const run = compose<number, void>([rig.filter], () => new Promise((done) => void rig.clock.setTimer(tookMs, done)))
    for (let i = 0; i < count; i++) void run(createCall(given))
    await rig.clock.advance(tookMs)
  }

  it('is what 95 of 100 calls take, and is there when enough of them were seen', async () => {
    const rig = setUp({ budget: false })
    await after(rig, 49, 50)
    expect(rig.filter.snapshot?.()).toMatchObject({ delayMs: null })
    await after(rig, 51, 50)
    await after(rig, 5, 900)
    expect(rig.filter.snapshot?.()).toMatchObject({ delayMs: expect.closeTo(50, -1) })
    expect(await outcome(rig.clock, () => rig.scripted([value(200), value(10)])(createCall(given)))).toMatchObject({
      value: 1,
    })
  })

  it('stays within its bounds', async () => {
    const fast = setUp({ delayMsMin: 30 })
    await after(fast, 60, 1)
    expect(fast.filter.snapshot?.()).toMatchObject({ delayMs: 30 })
    const slow = setUp({ delayMsMax: 200 })
    await after(slow, 60, 5_000)
    expect(slow.filter.snapshot?.()).toMatchObject({ delayMs: 200 })
  })

  it('sees how slow the attempts are that lose', async () => {
    const rig = setUp({ budget: false })
    await after(rig, 60, 20)
    const seen = new Set<string>()
    // A callee that has become slow, but for the attempts beyond the first.
    const run = compose<number, void>([rig.filter], ({ id }) => {
      const tookMs = seen.has(id) ? 10 : 1_000
      seen.add(id)
      return new Promise((done) => void rig.clock.setTimer(tookMs, done))
    })
    for (let i = 0; i < 100; i++) {
      void run(createCall({ ...given, id: String(i) }))
      await rig.clock.advance(100)
    }
    // Each one that lost took 30 ms at least, half as long again as what was usual before.
    const snapshot = rig.filter.snapshot?.()
    expect(snapshot).toMatchObject({ hedged: 100 })
    expect(snapshot?.delayMs).toBeGreaterThan(28)
  })
})

describe('the options of a hedge', () => {
  it('describe themselves', () => {
    expect(setUp().filter.describe()).toEqual({
      role: 'hedge',
      attempts: 2,
      percentile: 95,
      delayMsMin: 10,
      delayMsMax: 10_000,
      messages: false,
      budget: 'own',
    })
    expect(setUp({ delayMs: 50, budget: false }).filter.describe()).toEqual({
      role: 'hedge',
      attempts: 2,
      delayMs: 50,
      messages: false,
      budget: false,
    })
  })

  it('are refused where they are wrong, all at once', () => {
    const wrong = { attempts: 6, delayMs: 0, budget: true, after: 5 } as unknown as HedgeOptions
    expect(() => setUp(wrong)).toThrow(/hedge\.after .*hedge\.attempts .*hedge\.delayMs .*hedge\.budget /)
    expect(() => setUp({ delayMsMin: 20_000 })).toThrow('hedge.delayMsMax must not be below delayMsMin')
    expect(() => setUp({ delayMs: 5, percentile: 90 })).toThrow('hedge.percentile has no use')
  })
})

describe('races', () => {
  const failureOf = (end: string, index: number) => ({ verdict: end === 'notFound' ? 'permanent' : 'retryable', index })
  const script = fc.record({
    afterMs: fc.oneof(
      fc.integer({ min: 0, max: 60 }).map((n) => n * 10 + 5),
      fc.constant(Number.POSITIVE_INFINITY),
    ),
    end: fc.constantFrom('value' as const, 'unavailable' as const, 'notFound' as const),
  })
  const course = fc.record({
    scripts: fc.array(script, { minLength: 5, maxLength: 5 }),
    afterMs: fc.integer({ min: 0, max: 30 }).map((n) => n * 10),
  })

  it('have one outcome each, that of the first decisive attempt; make no attempt too many; cancel every loser; and leave no listener', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(course, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 2, max: 5 }),
        fc.integer({ min: 1, max: 12 }).map((n) => n * 10),
        async (courses, attempts, delayMs) => {
          const clock = manualClock()
          const filter = hedge(
            { attempts, delayMs, budget: retryBudget({ perSecond: 10_000 }, clock) },
            filterDeps({ clock }),
          )
          let listeners = 0
          const parent = cancelSource()
          const cancellation: Cancellation = {
            get reason() {
              return parent.token.reason
            },
            onCancel(listener) {
              listeners++
              const leave = parent.token.onCancel(listener)
              return () => {
                listeners--
                leave()
              }
            },
            get signal() {
              return parent.token.signal
            },
          }
          const races = courses.map(({ scripts }) => {
            const made: { readonly call: Call; readonly atMs: number }[] = []
            const outcomes: { readonly with: unknown; readonly atMs: number }[] = []
            const run = compose<number, number>([filter], (call) => {
              const index = made.push({ call, atMs: clock.monotonicMs() }) - 1
              call.cancellation.onCancel(() => {})
              const { afterMs, end } = scripts[index]!
              return new Promise((resolve, reject) => {
                if (afterMs === Number.POSITIVE_INFINITY) return
                clock.setTimer(afterMs, () => (end === 'value' ? resolve(index) : reject(failureOf(end, index))))
              })
            })
            const begin = (): void => {
              const ended = (outcome: unknown): void => void outcomes.push({ with: outcome, atMs: clock.monotonicMs() })
              void Promise.resolve(run(createCall({ ...given, cancellation }))).then(ended, ended)
            }
            return { scripts, made, outcomes, begin }
          })
          for (const [index, { afterMs }] of courses.entries()) {
            races[index]!.begin()
            await clock.advance(afterMs)
          }
          await clock.advance(10_000)
          for (const { scripts, made, outcomes } of races) {
            expect(made.length).toBeLessThanOrEqual(attempts)
            const ends = made.map(({ atMs }, index) => ({
              atMs: atMs + scripts[index]!.afterMs,
              index,
              ...scripts[index]!,
            }))
            const known = ends.filter(({ atMs }) => atMs !== Number.POSITIVE_INFINITY).sort((a, b) => a.atMs - b.atMs)
            const allFail = known.length === made.length && known.every(({ end }) => end === 'unavailable')
            const decisive = known.find(({ end }) => end !== 'unavailable') ?? (allFail ? known.at(-1) : undefined)
            if (decisive === undefined) {
              expect(outcomes).toEqual([])
              expect(made).toHaveLength(attempts)
              continue
            }
            const { end, index } = decisive
            const told = end === 'value' ? index : failureOf(end, end === 'unavailable' ? 0 : index)
            expect(outcomes).toEqual([{ with: told, atMs: decisive.atMs }])
            for (const [index, { call, atMs }] of made.entries()) {
              expect(atMs).toBeLessThanOrEqual(decisive.atMs)
              const own = ends[index]!
              const running = own.atMs > decisive.atMs || (own.atMs === decisive.atMs && index > decisive.index)
              expect(call.cancellation.reason !== undefined).toBe(running)
            }
          }
          const open = races.filter(({ outcomes }) => outcomes.length === 0)
          const stillListening = open.flatMap(({ made, scripts }) =>
            made.filter((_, index) => scripts[index]!.afterMs === Number.POSITIVE_INFINITY),
          )
          expect(listeners).toBe(stillListening.length)
        },
      ),
      { numRuns: 150 },
    )
  })
})
