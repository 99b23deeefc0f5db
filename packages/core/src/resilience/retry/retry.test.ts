import { type Call, type FilterEvent, PosthasteError, retryLater, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type RetryOptions, retry } from './retry.ts'
import { retryBudget } from './retry-budget.ts'

const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const notSent = new PosthasteError('UNAVAILABLE', 'refused', { notSent: true })
const gone = new PosthasteError('CANCELLED', 'gone')
const given = { kind: 'request', target: 't', id: '1', payload: 1, idempotent: true } as const
const tickMs = 10

/** Fails with the given failures one after the other, then answers with the attempt's number. */
function failing(failures: readonly unknown[], how: 'throw' | 'reject') {
  const calls: Call<number>[] = []
  const service: Service<number, number> = (call) => {
    calls.push(call)
    if (calls.length > failures.length) return call.attempt
    const failure = failures[calls.length - 1]
    if (how === 'reject') return Promise.reject(failure)
    throw failure
  }
  return { service, calls }
}

function setUp(options: RetryOptions = {}, random = 0.5) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, random: () => random, target: 't', onEvent: (event) => events.push(event) })
  const filter = retry(options, deps)
  return { clock, filter, events, around: (service: Service<number, number>) => compose([filter], service) }
}

/** Runs to its end on the manual clock and tells how it ended and after how long. */
async function outcome(
  clock: ReturnType<typeof manualClock>,
  run: () => unknown,
): Promise<{ value?: unknown; thrown?: unknown; afterMs: number }> {
  const startMs = clock.monotonicMs()
  const ended = (async () => run())().then(
    (value) => ({ value, afterMs: clock.monotonicMs() - startMs }),
    (thrown: unknown) => ({ thrown, afterMs: clock.monotonicMs() - startMs }),
  )
  await clock.advance(600_000)
  return ended
}

describe.each(['throw', 'reject'] as const)('retry, where the service fails by %s', (how) => {
  it('does nothing to a call that succeeds', async () => {
    const { clock, around } = setUp()
    const { service, calls } = failing([], how)
    const call = createCall(given)
    expect(await outcome(clock, () => around(service)(call))).toEqual({ value: 1, afterMs: 0 })
    expect(calls).toEqual([call])
  })

  it('calls again, with the number of the attempt, and leaves the call it was given alone', async () => {
    const { clock, around } = setUp()
    const { service, calls } = failing([unavailable, unavailable], how)
    const call = createCall({ ...given, attempt: 4 })
    const { value } = await outcome(clock, () => around(service)(call))
    expect(value).toBe(6)
    expect(calls.map(({ attempt }) => attempt)).toEqual([4, 5, 6])
    expect(call.attempt).toBe(4)
  })

  it('gives up after its attempts with the last failure as it is', async () => {
    const { clock, around } = setUp({ attempts: 3 })
    const last = new Error('the last')
    const { service, calls } = failing([unavailable, unavailable, last], how)
    const { thrown } = await outcome(clock, () => around(service)(createCall(given)))
    expect(thrown).toBe(last)
    expect(calls).toHaveLength(3)
  })

  it('does not repeat permanent and ignored failures, nor an open breaker', async () => {
    for (const code of ['INVALID_ARGUMENT', 'CANCELLED', 'BREAKER_OPEN'] as const) {
      const { clock, around } = setUp()
      const { service, calls } = failing([new PosthasteError(code, 'no')], how)
      const { thrown } = await outcome(clock, () => around(service)(createCall(given)))
      expect(thrown).toMatchObject({ code })
      expect(calls).toHaveLength(1)
    }
  })

  it('repeats what it is told to', async () => {
    const { clock, around } = setUp({ retryOn: (thrown) => PosthasteError.is(thrown, 'NOT_FOUND') })
    const { service } = failing([new PosthasteError('NOT_FOUND', 'not yet')], how)
    expect(await outcome(clock, () => around(service)(createCall(given)))).toMatchObject({ value: 2 })
  })

  it('repeats a call that is not idempotent only if nothing was sent, or if it always may', async () => {
    const made = async (failure: unknown, options: RetryOptions): Promise<number> => {
      const { clock, around } = setUp(options)
      const { service, calls } = failing([failure], how)
      await outcome(clock, () => around(service)(createCall({ ...given, idempotent: false })))
      return calls.length
    }
    expect(await made(unavailable, {})).toBe(1)
    expect(await made(notSent, {})).toBe(2)
    expect(await made(unavailable, { repeat: 'always' })).toBe(2)
  })

  it('waits longer from attempt to attempt', async () => {
    const { clock, around } = setUp({ attempts: 4, baseMs: 100, factor: 3, maxMs: 500 })
    const { service } = failing([unavailable, unavailable, unavailable], how)
    const { afterMs } = await outcome(clock, () => around(service)(createCall(given)))
    // Half of 100, 300 and 500, each at most a tick late.
    expect(afterMs).toBeGreaterThanOrEqual(450)
    expect(afterMs).toBeLessThanOrEqual(450 + 3 * tickMs)
  })

  it('waits as long as a failure asks for, and then the backoff', async () => {
    const { clock, around } = setUp({ baseMs: 100 })
    const { service } = failing([retryLater('not yet', { afterMs: 2_000 })], how)
    const { afterMs } = await outcome(clock, () => around(service)(createCall(given)))
    expect(afterMs).toBeGreaterThanOrEqual(2_050)
    expect(afterMs).toBeLessThanOrEqual(2_050 + tickMs)
  })

  it('gives up when a failure asks for a longer wait than it may', async () => {
    const { clock, around } = setUp({ retryAfterMaxMs: 1_000 })
    const later = retryLater('not yet', { afterMs: 1_001 })
    const { service } = failing([later], how)
    expect(await outcome(clock, () => around(service)(createCall(given)))).toEqual({ thrown: later, afterMs: 0 })
  })

  it('gives up at once when the wait would reach the deadline', async () => {
    const { clock, around } = setUp({ baseMs: 100 })
    const attempts = async (leftMs: number) => {
      const { service, calls } = failing([unavailable], how)
      const call = createCall({ ...given, deadlineAtMs: clock.monotonicMs() + leftMs })
      const { afterMs } = await outcome(clock, () => around(service)(call))
      return { made: calls.length, afterMs }
    }
    expect(await attempts(50)).toEqual({ made: 1, afterMs: 0 })
    expect((await attempts(51)).made).toBe(2)
  })

  it('ends a wait at once when the call is cancelled', async () => {
    const { clock, around } = setUp({ baseMs: 5_000 })
    const { service, calls } = failing([unavailable], how)
    const source = cancelSource()
    const result = around(service)(createCall({ ...given, cancellation: source.token }))
    await clock.advance(100)
    source.cancel(gone)
    await expect(result).rejects.toBe(gone)
    await clock.advance(10_000)
    expect(calls).toHaveLength(1)
  })

  it('does not repeat a call that was cancelled while it ran', async () => {
    const { clock, around } = setUp()
    const source = cancelSource()
    let calls = 0
    const service: Service<number, number> = () => {
      calls++
      source.cancel(gone)
      throw unavailable
    }
    const { thrown } = await outcome(clock, () => around(service)(createCall({ ...given, cancellation: source.token })))
    expect(thrown).toBe(unavailable)
    expect(calls).toBe(1)
  })

  it('gives up when the budget is used up, and shares it with others', async () => {
    const clock = manualClock()
    const budget = retryBudget({ perSecond: 0.1 }, clock)
    const deps = filterDeps({ clock, random: () => 0.5 })
    const [one, other] = [retry({ budget }, deps), retry({ budget }, deps)]
    const first = failing([unavailable], how)
    const second = failing([unavailable], how)
    expect(await outcome(clock, () => one.apply(createCall(given), first.service))).toMatchObject({ value: 2 })
    await clock.advance(10_000)
    budget.withdraw()
    expect(await outcome(clock, () => other.apply(createCall(given), second.service))).toMatchObject({
      thrown: unavailable,
    })
  })

  it('knows no budget where it is told so', async () => {
    const { clock, around } = setUp({ budget: false, attempts: 100, baseMs: 0 })
    let calls = 0
    const service: Service<number, number> = () => {
      calls++
      if (how === 'reject') return Promise.reject(unavailable)
      throw unavailable
    }
    for (let i = 0; i < 20; i++) await outcome(clock, () => around(service)(createCall(given)))
    expect(calls).toBe(2_000)
  })

  it('has a budget of its own by default, which a dead callee uses up', async () => {
    const { around } = setUp({ attempts: 100, baseMs: 0 })
    const { service, calls } = failing(Array(1_000).fill(unavailable), how)
    for (let i = 0; i < 5; i++) await Promise.allSettled([(async () => around(service)(createCall(given)))()])
    // 10 in reserve, and a fifth of a retry for each of five calls.
    expect(calls).toHaveLength(5 + 11)
  })
})

describe('a retry that is asked for other attempts', () => {
  it.each([1, 2, 5])('makes %i of them for that call alone', async (attempts) => {
    const { clock, around } = setUp({ attempts: 3, budget: false })
    const { service, calls } = failing(Array(10).fill(unavailable), 'reject')
    await outcome(clock, () => around(service)(createCall({ ...given, overrides: { attempts } })))
    expect(calls).toHaveLength(attempts)
    await outcome(clock, () => around(service)(createCall({ ...given, overrides: {} })))
    expect(calls).toHaveLength(attempts + 3)
  })
})

describe('a retry with decorrelated jitter', () => {
  it('draws each wait from the one before, and waits as long as a failure asks for besides', async () => {
    const { clock, events, around } = setUp({ jitter: 'decorrelated', baseMs: 100, maxMs: 500, attempts: 5 })
    const asking = retryLater('not yet', { afterMs: 1_000 })
    const { service } = failing([unavailable, unavailable, asking, unavailable], 'reject')
    await outcome(clock, () => around(service)(createCall(given)))
    expect(events.map(({ delayMs }) => delayMs)).toEqual([200, 300, 1_300, 300])
  })
})

describe('a retry and the time that attempts take', () => {
  /** An attempt takes 100 ms. */
  const setUpTaking = async (calls: number) => {
    const { clock, filter, around, events } = setUp({ baseMs: 0 })
    let fail = false
    let made = 0
    const run = around(async () => {
      made++
      const fails = fail
      await new Promise<void>((resolve) => void clock.setTimer(100, resolve))
      if (fails) throw unavailable
      return 1
    })
    const all = Promise.all(Array.from({ length: calls }, () => run(createCall(given))))
    await clock.advance(200)
    await all
    fail = true
    made = 0
    const attemptsWithin = async (leftMs: number): Promise<number> => {
      await outcome(clock, () => run(createCall({ ...given, deadlineAtMs: clock.monotonicMs() + leftMs })))
      return made
    }
    return { attemptsWithin, filter, events }
  }

  it('makes no attempt when less is left than half of them take', async () => {
    const { attemptsWithin, filter, events } = await setUpTaking(200)
    expect(filter.snapshot?.()).toMatchObject({ usualMs: expect.closeTo(100, -1) })
    expect(await attemptsWithin(180)).toBe(1)
    expect(events).toMatchObject([{ kind: 'givenUp', reason: 'deadline' }])
  })

  it('makes it when there is enough left', async () => {
    const { attemptsWithin } = await setUpTaking(200)
    expect(await attemptsWithin(230)).toBe(2)
  })

  it('concludes nothing from a few calls', async () => {
    const { attemptsWithin, filter } = await setUpTaking(100)
    expect(filter.snapshot?.()).toMatchObject({ usualMs: null })
    expect(await attemptsWithin(180)).toBe(2)
  })
})

describe('what a retry tells', () => {
  const refused = [
    { reason: 'attempts', options: { attempts: 2, baseMs: 0 }, failure: unavailable, made: 2 },
    { reason: 'budget', options: { budget: { deposit() {}, withdraw: () => false, balance: () => 0 } }, made: 1 },
    { reason: 'deadline', options: {}, call: { deadlineAtMs: 1_010 }, made: 1 },
    { reason: 'retryAfter', options: {}, failure: retryLater('not yet', { afterMs: 10_001 }), made: 1 },
    { reason: 'unsafe', options: {}, call: { idempotent: false }, made: 1 },
  ] as const

  it.each(refused)('is why it gave up: $reason', async (one) => {
    const { clock, events, filter, around } = setUp(one.options)
    const failure = 'failure' in one ? one.failure : unavailable
    const { service } = failing(Array(5).fill(failure), 'reject')
    await outcome(clock, () => around(service)(createCall({ ...given, ...('call' in one ? one.call : {}) })))
    const { role, target, id, code } = { role: 'retry', target: 't', id: '1', code: failure.code }
    expect(events.at(-1)).toEqual({ role, kind: 'givenUp', target, id, made: one.made, reason: one.reason, code })
    expect(filter.snapshot?.()).toMatchObject({ givenUp: { [one.reason]: 1 } })
  })

  it('is each attempt that it makes again, and what came of it', async () => {
    const { clock, events, filter, around } = setUp({ baseMs: 20, budget: false })
    const { service } = failing([unavailable, new PosthasteError('NOT_FOUND', 'no')], 'reject')
    await outcome(clock, () => around(service)(createCall(given)))
    await outcome(clock, () => around(service)(createCall(given)))
    const saved = failing([unavailable], 'throw')
    await outcome(clock, () => around(saved.service)(createCall({ ...given, id: '3' })))
    expect(events).toEqual([
      { role: 'retry', kind: 'retried', target: 't', id: '1', attempt: 2, delayMs: 10, code: 'UNAVAILABLE' },
      { role: 'retry', kind: 'retried', target: 't', id: '3', attempt: 2, delayMs: 10, code: 'UNAVAILABLE' },
    ])
    expect(filter.snapshot?.()).toEqual({
      role: 'retry',
      calls: 3,
      retried: 2,
      recovered: 1,
      givenUp: { attempts: 0, budget: 0, deadline: 0, retryAfter: 0, unsafe: 0 },
      budget: false,
      usualMs: null,
    })
  })

  it('is nothing where no retry was wanted: a failure that is not worth it, one attempt, a cancelled call', async () => {
    const { clock, events, around } = setUp()
    const { service } = failing([new PosthasteError('NOT_FOUND', 'no'), unavailable, unavailable], 'reject')
    const source = cancelSource()
    source.cancel(gone)
    for (const asked of [{}, { overrides: { attempts: 1 } }, { cancellation: source.token }]) {
      await outcome(clock, () => around(service)(createCall({ ...given, ...asked })))
    }
    expect(events).toEqual([])
  })

  it('is what is left in its budget', () => {
    const { filter, around } = setUp({ baseMs: 0 })
    around(failing([unavailable], 'throw').service)(createCall(given))
    expect(filter.snapshot?.()).toMatchObject({ budget: expect.closeTo(9.2, 5) })
  })
})

describe('retry', () => {
  it('repeats nothing of a stream that has begun', async () => {
    const { clock, around } = setUp()
    let made = 0
    const service = around(async () => {
      made++
      return (async function* () {
        yield 1
        throw unavailable
      })() as unknown as number
    })
    const parts: number[] = []
    const { thrown } = await outcome(clock, async () => {
      for await (const part of (await service(createCall(given))) as unknown as AsyncIterable<number>) parts.push(part)
    })
    expect([thrown, parts, made]).toEqual([unavailable, [1], 1])
  })

  it('stays synchronous where nothing needs waiting for', () => {
    const { clock, around } = setUp({ baseMs: 0 })
    const { service } = failing([unavailable], 'throw')
    expect(around(service)(createCall(given))).toBe(2)
    expect(clock.pending()).toBe(0)
  })

  it('gives each call to the budget once, whatever its attempts', async () => {
    const clock = manualClock()
    let deposits = 0
    const budget = { deposit: () => void deposits++, withdraw: () => true, balance: () => 1 }
    const filter = retry({ budget }, filterDeps({ clock, random: () => 0 }))
    filter.apply(createCall(given), failing([unavailable, unavailable], 'throw').service)
    expect(deposits).toBe(1)
  })

  it('describes itself with its settings', () => {
    expect(setUp({ attempts: 5 }).filter.describe()).toEqual({
      role: 'retry',
      attempts: 5,
      jitter: 'full',
      baseMs: 50,
      factor: 2,
      maxMs: 5_000,
      retryAfterMaxMs: 10_000,
      repeat: 'safe',
      budget: 'own',
    })
    expect(setUp({ jitter: 'decorrelated' }).filter.describe()).toMatchObject({ jitter: 'decorrelated', factor: 3 })
    expect(setUp({ budget: false }).filter.describe()).toMatchObject({ budget: false })
    expect(setUp({ budget: retryBudget({}, manualClock()) }).filter.describe()).toMatchObject({ budget: 'shared' })
  })

  it('refuses wrong options, all at once', () => {
    const wrong = { attempts: 0, baseMs: -1, repeat: 'never', budget: true, tries: 2 } as unknown as RetryOptions
    expect(() => setUp(wrong)).toThrow(
      /retry\.tries .*retry\.attempts .*retry\.baseMs .*retry\.repeat .*retry\.budget /,
    )
    expect(() => setUp({ baseMs: 10, maxMs: 5 })).toThrow('retry.maxMs must not be below baseMs')
  })
})
