import { type FilterEvent, PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { timeout } from '../time/timeout.ts'
import { type BreakerChange, type BreakerOptions, breaker } from './breaker.ts'

const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const call = createCall({ kind: 'request', target: 'shop.Inventory/checkStock', id: '1', payload: 1 })
const refused = expect.objectContaining({ code: 'BREAKER_OPEN' })

function setUp(options: BreakerOptions = {}) {
  const clock = manualClock()
  const log = recordingLog()
  const deps = filterDeps({ clock, log, random: () => 0.5, target: 'shop.Inventory' })
  const filter = breaker({ callsMin: 4, ...options }, deps)
  const run = async (service: Service<number, unknown>): Promise<unknown> => compose([filter], service)(call)
  const failWith = async (thrown: unknown, times = 4): Promise<void> => {
    for (let i = 0; i < times; i++) await run(() => Promise.reject(thrown)).catch(() => {})
  }
  return { clock, log, deps, filter, run, failWith }
}

describe('a breaker', () => {
  it('passes answers and failures on as they are', async () => {
    const { run, filter } = setUp()
    const throwing: Service<number, number> = () => {
      throw unavailable
    }
    expect(filter.apply(call, () => 7)).toBe(7)
    expect(() => filter.apply(call, throwing)).toThrow(unavailable)
    await expect(run(() => Promise.resolve(7))).resolves.toBe(7)
    await expect(run(() => Promise.reject(unavailable))).rejects.toBe(unavailable)
  })

  it.each(['throws', 'rejects'])(
    'opens when too many calls failed, where the service %s, and then does not call it',
    async (how) => {
      const { filter, run } = setUp()
      let calls = 0
      const service: Service<number, number> = () => {
        calls++
        if (how === 'rejects') return Promise.reject(unavailable)
        throw unavailable
      }
      for (let i = 0; i < 4; i++) await expect(run(service)).rejects.toBe(unavailable)
      expect(filter.state).toBe('open')
      await expect(run(service)).rejects.toEqual(refused)
      expect(calls).toBe(4)
    },
  )

  it('refuses with the target, the time to wait, and that nothing was sent', async () => {
    const { run, failWith, clock } = setUp()
    await failWith(unavailable)
    await clock.advance(1_000)
    await expect(run(() => 1)).rejects.toMatchObject({
      code: 'BREAKER_OPEN',
      verdict: 'retryable',
      retryAfterMs: 4_000,
      notSent: true,
      message: expect.stringContaining('shop.Inventory/checkStock'),
    })
  })

  it('tells how long it is not ready, and pauses whoever asks', async () => {
    const { filter, failWith, clock } = setUp()
    expect(filter.notReadyForMs()).toBe(0)
    await failWith(unavailable)
    expect(filter.notReadyForMs()).toBe(5_000)
    await clock.advance(4_999)
    expect(filter.notReadyForMs()).toBe(1)
    await clock.advance(1)
    expect(filter.notReadyForMs()).toBe(0)
  })

  it('does not count its own refusals', async () => {
    const { filter, failWith, run, clock } = setUp()
    await failWith(unavailable)
    for (let i = 0; i < 100; i++) await run(() => 1).catch(() => {})
    await clock.advance(5_000)
    for (let i = 0; i < 3; i++) await run(() => 1)
    expect(filter.state).toBe('closed')
    expect(filter.snapshot()).toMatchObject({ calls: 0, failures: 0 })
  })

  it('counts timeouts of the attempt, which stands inside', async () => {
    const { clock, deps, filter } = setUp()
    const service = compose([filter, timeout({ timeoutMs: 100 }, deps)], () => new Promise(() => {}))
    const all = Promise.allSettled(Array.from({ length: 4 }, () => service(call)))
    await clock.advance(200)
    await all
    expect(filter.state).toBe('open')
  })

  it.each(['CANCELLED', 'INVALID_ARGUMENT', 'NOT_FOUND', 'RATE_LIMITED', 'OVERLOADED', 'BREAKER_OPEN'] as const)(
    'takes %s for neutral',
    async (code) => {
      const { filter, failWith } = setUp()
      await failWith(new PosthasteError(code, 'it'), 100)
      expect(filter.state).toBe('closed')
      expect(filter.snapshot()).toMatchObject({ calls: 0 })
    },
  )

  it('counts the failures it is told to', async () => {
    const { filter, failWith } = setUp({ countsAsFailure: (thrown) => PosthasteError.is(thrown, 'NOT_FOUND') })
    await failWith(unavailable, 100)
    expect(filter.state).toBe('closed')
    await failWith(new PosthasteError('NOT_FOUND', 'it'))
    expect(filter.state).toBe('open')
  })

  it('opens when too many calls were slow, though they succeeded', async () => {
    const { clock, filter, run } = setUp({ slowMs: 100, slowPercent: 50 })
    const taking = (ms: number) => () => new Promise((resolve) => void clock.setTimer(ms, () => resolve(1)))
    for (const ms of [100, 101, 50, 200]) {
      const result = run(taking(ms))
      await clock.advance(ms)
      await result
    }
    expect(filter.state).toBe('open')
  })

  it('is not moved by calls from before it opened: a late success does not close it', async () => {
    const { clock, filter, run, failWith } = setUp()
    const late = Promise.withResolvers<number>()
    const early = Array.from({ length: 5 }, () => run(() => late.promise))
    await failWith(unavailable)
    await clock.advance(5_000)
    const probe = Promise.withResolvers<number>()
    const probing = run(() => probe.promise)
    late.resolve(1)
    await Promise.all(early)
    expect(filter.state).toBe('halfOpen')
    probe.resolve(1)
    await probing
    expect(filter.state).toBe('halfOpen')
  })

  it('refuses while the probes are out, and does not keep callers waiting for them', async () => {
    const { clock, run, failWith, filter } = setUp({ probes: 1 })
    await failWith(unavailable)
    await clock.advance(5_000)
    void run(() => new Promise(() => {}))
    await expect(run(() => 1)).rejects.toMatchObject({ code: 'BREAKER_OPEN', retryAfterMs: 100 })
    expect(filter.notReadyForMs()).toBe(100)
  })
})

describe('a breaker’s changes of state', () => {
  it('are told and logged, with what they rest on', async () => {
    const changes: BreakerChange[] = []
    const { clock, log, run, failWith } = setUp({ onStateChange: (change) => changes.push(change) })
    await failWith(unavailable)
    await clock.advance(5_000)
    for (let i = 0; i < 3; i++) await run(() => 1)
    const target = 'shop.Inventory'
    const four = { calls: 4, failures: 4, slow: 0 }
    expect(changes).toEqual([
      { target, from: 'closed', to: 'open', openForMs: 5_000, counts: four },
      { target, from: 'open', to: 'halfOpen', openForMs: 0, counts: four },
      { target, from: 'halfOpen', to: 'closed', openForMs: 0, counts: { calls: 3, failures: 0, slow: 0 } },
    ])
    expect(log.entries.map(({ level, message }) => `${level}: ${message}`)).toEqual([
      'warn: breaker opened',
      'info: breaker lets probes through',
      'info: breaker closed',
    ])
  })

  it('are made even if whoever is told throws', async () => {
    const { filter, failWith, log } = setUp({
      onStateChange: () => {
        throw new Error('a fault')
      },
    })
    await failWith(unavailable)
    expect(filter.state).toBe('open')
    expect(log.entries.at(-1)).toMatchObject({ level: 'error', fields: { error: { message: 'a fault' } } })
  })
})

describe('a breaker that is held', () => {
  it('open refuses all, says that it is held, and counts what it refuses', async () => {
    const { filter, run } = setUp()
    filter.force('open')
    await expect(run(() => 1)).rejects.toMatchObject({
      code: 'BREAKER_OPEN',
      notSent: true,
      retryAfterMs: 1_000,
      message: expect.stringContaining('held open'),
    })
    expect(filter.snapshot()).toMatchObject({ state: 'open', forced: 'open', rejected: 1, notReadyForMs: 1_000 })
    expect(filter.notReadyForMs()).toBe(1_000)
  })

  it('closed lets all pass and counts them', async () => {
    const { filter, failWith } = setUp()
    filter.force('closed')
    await failWith(unavailable, 50)
    expect(filter.snapshot()).toMatchObject({ state: 'closed', forced: 'closed', calls: 50, failures: 50 })
  })

  it('is let go closed, with an empty window', async () => {
    const { filter, run } = setUp()
    filter.force('open')
    filter.force(undefined)
    await expect(run(() => 1)).resolves.toBe(1)
    expect(filter.snapshot()).toMatchObject({ state: 'closed', calls: 1, rejected: 0 })
    expect(filter.snapshot()).not.toHaveProperty('forced')
  })

  it('refuses to be held in anything else', () => {
    const { filter } = setUp()
    expect(() => filter.force('ajar' as 'open')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})

describe('what a breaker tells', () => {
  function listening(options: BreakerOptions = {}) {
    const events: FilterEvent[] = []
    const clock = manualClock()
    const deps = filterDeps({ clock, random: () => 0.5, target: 't', onEvent: (event) => events.push(event) })
    const filter = breaker({ callsMin: 2, probes: 1, ...options }, deps)
    const run = async (service: Service<number, unknown>) => compose([filter], service)(call)
    return { events, clock, filter, run }
  }
  const fails = () => Promise.reject(unavailable)

  it('is each move with what it rests on, and each refusal', async () => {
    const { events, clock, run } = listening()
    for (let i = 0; i < 3; i++) await run(fails).catch(() => {})
    await clock.advance(5_000)
    await run(() => 1)
    const about = { role: 'breaker', target: 't' }
    expect(events).toEqual([
      { ...about, kind: 'opened', from: 'closed', openForMs: 5_000, calls: 2, failures: 2, slow: 0 },
      { ...about, kind: 'refused', state: 'open', retryAfterMs: 5_000 },
      { ...about, kind: 'halfOpen', from: 'open', openForMs: 0, calls: 2, failures: 2, slow: 0 },
      { ...about, kind: 'closed', from: 'halfOpen', openForMs: 0, calls: 1, failures: 0, slow: 0 },
    ])
  })

  it('is when an operator holds it and lets it go, once each', () => {
    const { events, filter } = listening()
    filter.force('open')
    filter.force('open')
    filter.force(undefined)
    expect(events.filter(({ kind }) => kind === 'forced').map(({ to }) => to)).toEqual(['open', 'automatic'])
  })

  it('is nothing about calls that pass', async () => {
    const { events, run } = listening()
    for (let i = 0; i < 3; i++) await run(() => 1)
    await run(fails).catch(() => {})
    expect(events).toEqual([])
  })
})

describe('a snapshot of a breaker', () => {
  it('shows the state, the counts of the window, and what there was since it was made', async () => {
    const { filter, run, failWith, clock } = setUp({ slowMs: 100 })
    expect(filter.snapshot()).toEqual({
      ...{ role: 'breaker', state: 'closed', calls: 0, failures: 0, slow: 0 },
      ...{ notReadyForMs: 0, openings: 0, rejected: 0 },
    })
    await failWith(unavailable)
    await run(() => 1).catch(() => {})
    expect(filter.snapshot()).toMatchObject({
      state: 'open',
      notReadyForMs: 5_000,
      openings: 1,
      rejected: 1,
      failures: 4,
    })
    await clock.advance(5_000)
    await run(() => 1)
    expect(filter.snapshot()).toMatchObject({
      state: 'halfOpen',
      probes: { running: 0, succeeded: 1, failed: 0, slow: 0 },
      notReadyForMs: 0,
    })
  })

  it('changes nothing: time that has passed is seen when a call comes', async () => {
    const { filter, run, failWith, clock } = setUp({ probes: 1 })
    await failWith(unavailable)
    await clock.advance(5_000)
    void run(() => new Promise(() => {}))
    await clock.advance(10_000)
    filter.snapshot()
    expect(filter.state).toBe('halfOpen')
    expect(filter.notReadyForMs()).toBe(8_000)
    expect(filter.state).toBe('open')
  })
})

describe('a breaker’s options', () => {
  it('have defaults', () => {
    expect(breaker({}, filterDeps({ clock: manualClock() })).describe()).toEqual({
      role: 'breaker',
      failurePercent: 50,
      slowMs: Infinity,
      slowPercent: 100,
      callsMin: 20,
      windowMs: 10_000,
      openMs: 5_000,
      openMsMax: 8_000,
      probes: 3,
      probeWaitMs: 10_000,
      rampMs: 0,
    })
  })

  it('are refused all at once when they are wrong', () => {
    const wrong = {
      failurePercent: 0,
      probes: 1.5,
      openMs: 0,
      trip: 1,
      onStateChange: 'log',
    } as unknown as BreakerOptions
    expect(() => setUp(wrong)).toThrow(/breaker\.trip .*failurePercent .*openMs .*probes .*onStateChange /)
    expect(() => setUp({ openMs: 90_000, openMsMax: 60_000 })).toThrow('breaker.openMsMax must not be below openMs')
    expect(setUp({ openMs: 90_000 }).filter.describe()).toMatchObject({ openMsMax: 90_000 })
  })

  it('ask for a window of time or one of calls', () => {
    const { filter } = setUp({ windowCalls: 10 })
    expect(filter.describe()).toMatchObject({ windowCalls: 10, callsMin: 4 })
    expect(filter.describe()).not.toHaveProperty('windowMs')
    expect(() => setUp({ windowCalls: 10, windowMs: 1_000 })).toThrow('breaker.windowCalls must not be given beside')
    expect(() => setUp({ windowCalls: 10, callsMin: 11 })).toThrow('breaker.callsMin must not be above windowCalls')
  })

  it('never ask for more calls than a window of calls has, unless that is asked for', () => {
    const ofCalls = (windowCalls: number) => breaker({ windowCalls }, filterDeps({ clock: manualClock() })).describe()
    expect(ofCalls(5)).toMatchObject({ callsMin: 5 })
    expect(ofCalls(500)).toMatchObject({ callsMin: 20 })
  })
})

describe('whoever is told of a breaker’s moves', () => {
  it('may hold it open, and no probe passes', async () => {
    const { filter, run, failWith, clock } = setUp({
      onStateChange: ({ to }) => {
        if (to === 'halfOpen') filter.force('open')
      },
    })
    await failWith(unavailable)
    await clock.advance(10_000)
    await expect(run(() => 1)).rejects.toEqual(refused)
    expect(filter.snapshot()).toMatchObject({ state: 'open', forced: 'open' })
  })

  it('may send the probe itself, and no more pass than there may', async () => {
    let sent: unknown
    const { filter, run, failWith, clock } = setUp({
      probes: 1,
      onStateChange: ({ to }) => {
        if (to === 'halfOpen') sent = filter.apply(call, () => new Promise(() => {}))
      },
    })
    await failWith(unavailable)
    await clock.advance(10_000)
    await expect(run(() => 1)).rejects.toEqual(refused)
    expect(sent).toBeInstanceOf(Promise)
  })
})

describe('a judge of failures that throws', () => {
  it('hides no failure from its caller, and the failure counts', async () => {
    const { filter, run, log } = setUp({
      callsMin: 1,
      countsAsFailure: () => {
        throw new Error('a fault')
      },
    })
    await expect(run(() => Promise.reject(unavailable))).rejects.toBe(unavailable)
    expect(filter.state).toBe('open')
    expect(log.entries[0]).toMatchObject({ level: 'error', fields: { error: { message: 'a fault' } } })
  })
})
