import { type Call, type Cancellation, type FilterEvent, PosthasteError, type Service } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { type TimerWheel, timerWheel } from '../../pipeline/timer-wheel.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { deadline } from './deadline.ts'
import { timeout } from './timeout.ts'

const tickMs = 10
const given = { kind: 'request', target: 'shop.Inventory/checkStock', id: '1', payload: 1 } as const
const gone = new PosthasteError('CANCELLED', 'gone')
const exceeded = expect.objectContaining({ code: 'DEADLINE_EXCEEDED', verdict: 'retryable' })

/** A service that answers when told to, and remembers the call it saw. */
function waiting() {
  let seen: Call<number> | undefined
  const answer = Promise.withResolvers<number>()
  const service: Service<number, number> = (call) => {
    seen = call
    return answer.promise
  }
  return { service, ...answer, seen: () => seen as Call<number> }
}

function setUp() {
  const clock = manualClock()
  return { clock, deps: filterDeps({ clock }) }
}

const kinds = { timeout, deadline }

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('%s', (kind) => {
  const limit = kinds[kind]

  it('gives the inner call a deadline and a cancellation of its own', () => {
    const { clock, deps } = setUp()
    const { service, seen } = waiting()
    const call = createCall(given)
    void compose([limit({ timeoutMs: 100 }, deps)], service)(call)
    expect(seen().deadlineAtMs).toBe(clock.monotonicMs() + 100)
    expect(seen().cancellation).not.toBe(call.cancellation)
    expect(call.deadlineAtMs).toBe(Infinity)
  })

  it('keeps an earlier deadline of the call', async () => {
    const { clock, deps } = setUp()
    const { service, seen } = waiting()
    const call = createCall({ ...given, deadlineAtMs: clock.monotonicMs() + 50 })
    const result = compose([limit({ timeoutMs: 100 }, deps)], service)(call)
    const failing = expect(result).rejects.toEqual(exceeded)
    expect(seen().deadlineAtMs).toBe(call.deadlineAtMs)
    await clock.advance(50 + tickMs)
    await failing
  })

  it('passes on what the service answers in time, and takes its timer back', async () => {
    const { clock, deps } = setUp()
    const { service, seen, resolve } = waiting()
    const result = compose([limit({ timeoutMs: 100 }, deps)], service)(createCall(given))
    await clock.advance(90)
    resolve(7)
    await expect(result).resolves.toBe(7)
    await clock.advance(1_000)
    expect(seen().cancellation.reason).toBeUndefined()
  })

  it('passes on how the service fails in time, thrown or rejected', async () => {
    const { clock, deps } = setUp()
    const fault = new Error('a fault')
    const filters = [limit({ timeoutMs: 100 }, deps)]
    const throwing: Service<number, number> = () => {
      throw fault
    }
    expect(() => compose(filters, throwing)(createCall(given))).toThrow(fault)
    await expect(compose(filters, () => Promise.reject(fault))(createCall(given))).rejects.toBe(fault)
    await clock.advance(1_000)
  })

  it('fails when the time is up, cancels the inner call and not the outer one', async () => {
    const { clock, deps } = setUp()
    const { service, seen } = waiting()
    const outer = cancelSource()
    const result = compose(
      [limit({ timeoutMs: 100 }, deps)],
      service,
    )(createCall({ ...given, cancellation: outer.token }))
    const failing = expect(result).rejects.toEqual(exceeded)
    await clock.advance(99)
    expect(seen().cancellation.reason).toBeUndefined()
    await clock.advance(1 + tickMs)
    await failing
    expect(seen().cancellation.reason).toEqual(exceeded)
    expect(seen().signal.aborted).toBe(true)
    expect(outer.token.reason).toBeUndefined()
  })

  it.each(['resolve', 'reject'] as const)('drops an answer that comes late: %s', async (how) => {
    const { clock, deps } = setUp()
    const unhandled: unknown[] = []
    const listener = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', listener)
    const late = waiting()
    const result = compose([limit({ timeoutMs: 100 }, deps)], late.service)(createCall(given))
    const failing = expect(result).rejects.toEqual(exceeded)
    await clock.advance(200)
    await failing
    if (how === 'resolve') late.resolve(7)
    else late.reject(new Error('too late'))
    await clock.advance(200)
    process.off('unhandledRejection', listener)
    expect(unhandled).toEqual([])
  })

  it('costs no timer where the answer is there at once', () => {
    const { clock, deps } = setUp()
    expect(compose([limit({ timeoutMs: 100 }, deps)], () => 7)(createCall(given))).toBe(7)
    expect(clock.pending()).toBe(0)
  })

  it('passes the cancellation of the outer call on while it runs, and lets go of it when it is over', async () => {
    const { deps } = setUp()
    const { service, seen, resolve } = waiting()
    const outer = cancelSource()
    const run = compose([limit({ timeoutMs: 100 }, deps)], service)
    const first = run(createCall({ ...given, cancellation: outer.token }))
    const told: unknown[] = []
    seen().cancellation.onCancel((reason) => told.push(reason))
    const firstCancellation: Cancellation = seen().cancellation
    resolve(1)
    await first
    void run(createCall({ ...given, cancellation: outer.token }))
    seen().cancellation.onCancel((reason) => told.push(reason))
    outer.cancel(gone)
    expect(firstCancellation.reason).toBeUndefined()
    expect(told).toEqual([gone])
  })

  it.each(['at once', 'later'])('lets a cancellation reach a stream that has begun %s', async (when) => {
    const { clock, deps } = setUp()
    const outer = cancelSource()
    let inner: Cancellation | undefined
    const streaming: Service<number, AsyncIterable<number>> = (call) => {
      inner = call.cancellation
      const stream = (async function* () {})()
      return when === 'at once' ? stream : Promise.resolve(stream)
    }
    await compose([limit({ timeoutMs: 100 }, deps)], streaming)(createCall({ ...given, cancellation: outer.token }))
    await clock.advance(500)
    expect(inner?.reason).toBeUndefined()
    outer.cancel(gone)
    expect(inner?.reason).toBe(gone)
  })

  it('fails at once, without calling the service, when the deadline has passed', () => {
    const { clock, deps } = setUp()
    let reached = false
    const service = compose([limit({ timeoutMs: 100 }, deps)], () => {
      reached = true
    })
    const call = createCall({ ...given, deadlineAtMs: clock.monotonicMs() })
    expect(() => service(call)).toThrow(exceeded)
    expect(reached).toBe(false)
  })

  it('counts the calls whose time was up and those that came too late, and tells of the former', async () => {
    const clock = manualClock()
    const events: FilterEvent[] = []
    const deps = filterDeps({ clock, target: 'shop.Inventory/checkStock', onEvent: (event) => events.push(event) })
    const filter = limit({ timeoutMs: 100 }, deps)
    const service = compose([filter], waiting().service)
    await compose([filter], () => Promise.resolve(1))(createCall(given))
    expect(() => service(createCall({ ...given, deadlineAtMs: 0 }))).toThrow(exceeded)
    const failing = expect(service(createCall(given))).rejects.toEqual(exceeded)
    await clock.advance(200)
    await failing
    expect(filter.snapshot?.()).toEqual({ role: kind, timedOut: 1, tooLate: 1 })
    expect(events).toEqual([{ role: kind, kind: 'timedOut', target: given.target, id: '1', timeoutMs: 100 }])
  })

  it('describes itself', () => {
    expect(limit({ timeoutMs: 100 }, setUp().deps).describe()).toEqual({ role: kind, timeoutMs: 100 })
  })

  it('refuses a time that is none', () => {
    const { deps } = setUp()
    for (const timeoutMs of [0, -1, Infinity, Number.NaN]) {
      expect(() => limit({ timeoutMs }, deps)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    }
  })
})

describe('a timeout', () => {
  it('must be told its time', () => {
    expect(() => timeout({} as { timeoutMs: number }, setUp().deps)).toThrow('timeout.timeoutMs is missing')
  })
})

describe('what a call asks of its timeout', () => {
  it('takes the place of the setting, and not of an earlier deadline', async () => {
    const { clock, deps } = setUp()
    const seen: number[] = []
    const run = compose([timeout({ timeoutMs: 100 }, deps)], (call) => void seen.push(call.deadlineAtMs))
    const nowMs = clock.monotonicMs()
    run(createCall({ ...given, overrides: { attemptTimeoutMs: 300 } }))
    run(createCall({ ...given, overrides: { attemptTimeoutMs: 20 } }))
    run(createCall({ ...given, overrides: {} }))
    run(createCall({ ...given, overrides: { attemptTimeoutMs: 300 }, deadlineAtMs: nowMs + 50 }))
    expect(seen).toEqual([nowMs + 300, nowMs + 20, nowMs + 100, nowMs + 50])
  })

  it('is not asked of a deadline', () => {
    const { clock, deps } = setUp()
    const run = compose([deadline({ timeoutMs: 100 }, deps)], (call) => call.deadlineAtMs)
    expect(run(createCall({ ...given, overrides: { attemptTimeoutMs: 20 } }))).toBe(clock.monotonicMs() + 100)
  })
})

describe('many calls under time limits', () => {
  it('make as many timers as run at a time, and use them again', async () => {
    const clock = manualClock()
    const wheel = timerWheel(clock)
    let timers = 0
    const counting: TimerWheel = {
      set: () => {
        throw new Error('a timer for one call')
      },
      reusable(fire) {
        timers++
        return wheel.reusable(fire)
      },
      close: () => wheel.close(),
    }
    const deps = filterDeps({ clock, timers: counting })
    const run = compose([deadline({ timeoutMs: 500 }, deps), timeout({ timeoutMs: 100 }, deps)], async () => 7)
    for (let i = 0; i < 50; i++) await Promise.all([run(createCall(given)), run(createCall(given))])
    expect(timers).toBe(4)
  })

  const step = fc.oneof(
    fc.record({
      kind: fc.constant('begin' as const),
      timeoutMs: fc.integer({ min: 1, max: 300 }),
      nested: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('end' as const), which: fc.nat(), how: fc.constantFrom('resolve', 'reject') }),
    fc.record({ kind: fc.constant('advance' as const), byMs: fc.integer({ min: 0, max: 200 }) }),
  )

  it('end each by itself: in time with its answer, else with its timeout, and never with what is another’s', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
        const clock = manualClock()
        const deps = filterDeps({ clock })
        const outcomes = new Map<number, unknown>()
        const expected = new Map<number, unknown>()
        const seen = new Map<number, Call>()
        const begun: {
          readonly id: number
          readonly dueAtMs: number
          readonly answer: PromiseWithResolvers<number>
        }[] = []
        for (const [id, taken] of steps.entries()) {
          if (taken.kind === 'begin') {
            const answer = Promise.withResolvers<number>()
            const inner = timeout({ timeoutMs: taken.timeoutMs }, deps)
            const filters = taken.nested ? [deadline({ timeoutMs: taken.timeoutMs + 50 }, deps), inner] : [inner]
            const run = compose<number, number>(filters, (call) => {
              seen.set(id, call)
              return answer.promise
            })
            begun.push({ id, dueAtMs: clock.monotonicMs() + taken.timeoutMs, answer })
            void Promise.resolve(run(createCall(given))).then(
              (value) => outcomes.set(id, value),
              (thrown) => outcomes.set(id, thrown),
            )
          } else if (taken.kind === 'end') {
            // Ended twice and more, sooner or later, in any order.
            const ended = begun[taken.which % Math.max(begun.length, 1)]
            if (ended === undefined) continue
            if (taken.how === 'resolve') ended.answer.resolve(ended.id)
            else ended.answer.reject(ended.id)
            if (!expected.has(ended.id)) expected.set(ended.id, ended.id)
            await clock.advance(0)
          } else {
            await clock.advance(taken.byMs + tickMs)
            for (const { id, dueAtMs } of begun) {
              // Between the time that is up and the tick that tells of it, either may be.
              const expired = outcomes.has(id) && typeof outcomes.get(id) === 'object'
              if (!expected.has(id) && (expired || dueAtMs + tickMs <= clock.monotonicMs())) expected.set(id, exceeded)
              if (expired) expect(dueAtMs).toBeLessThanOrEqual(clock.monotonicMs())
            }
          }
          await clock.advance(0)
          expect(outcomes).toEqual(expected)
          for (const [id, call] of seen) {
            const outcome = outcomes.get(id)
            expect(call.cancellation.reason).toBe(typeof outcome === 'object' ? outcome : undefined)
          }
        }
        for (const { answer } of begun) answer.resolve(-1)
        await clock.advance(1_000)
        expect(clock.pending()).toBe(0)
      }),
      { numRuns: 150 },
    )
  })
})

describe('a deadline without a time of its own', () => {
  it('passes a call without a deadline on as it is', () => {
    const { deps } = setUp()
    const call = createCall(given)
    expect(compose([deadline({}, deps)], (passed) => passed)(call)).toBe(call)
  })

  it('enforces the deadline of the call', async () => {
    const { clock, deps } = setUp()
    const { service } = waiting()
    const result = compose(
      [deadline({}, deps)],
      service,
    )(createCall({ ...given, deadlineAtMs: clock.monotonicMs() + 50 }))
    const failing = expect(result).rejects.toEqual(exceeded)
    await clock.advance(50 + tickMs)
    await failing
  })
})
