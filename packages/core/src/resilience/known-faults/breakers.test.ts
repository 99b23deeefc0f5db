import { type Filter, PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type BreakerOptions, breaker } from '../breaker/breaker.ts'
import { breakers } from '../breaker/breakers.ts'
import { bulkhead } from '../bulkhead/bulkhead.ts'
import { timeout } from '../time/timeout.ts'

// Faults that breakers of other libraries were found to have, each as what ours does instead. The same cases run against
// those libraries in the benchmark of known faults.

const given = { kind: 'request', target: 't', id: '1', payload: 1 } as const
const call = createCall(given)
const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const hourMs = 3_600_000

function setUp(options: BreakerOptions = {}, random = 0.5) {
  const clock = manualClock()
  const deps = filterDeps({ clock, random: () => random })
  const circuit = breaker({ callsMin: 5, openMs: 1_000, probes: 1, ...options }, deps)
  const through = async (service: Service<number, unknown>, filters: readonly Filter[] = [circuit]) =>
    compose(filters, service)(call)
  const ended = (service: Service<number, unknown>, filters?: readonly Filter[]) =>
    through(service, filters).then(
      () => 'answered',
      (thrown: unknown) => (PosthasteError.is(thrown) ? thrown.code : 'failed'),
    )
  const fail = async (times: number) => {
    for (let i = 0; i < times; i++) await ended(() => Promise.reject(unavailable))
  }
  /** Open, and then as long as it stays so. */
  const openAndWait = async () => {
    await fail(5)
    expect(circuit.state).toBe('open')
    await clock.advance(1_500)
  }
  return { clock, deps, circuit, through, ended, fail, openAndWait }
}

const hanging = () => new Promise<never>(() => {})

describe('what a breaker counts', () => {
  it('is forgotten by time and not by use: twenty failures and an idle hour leave nothing for the next one to add to', async () => {
    const { circuit, clock, fail } = setUp({ callsMin: 21 })
    await fail(20)
    await clock.advance(hourMs)
    await fail(1)
    expect(circuit.state).toBe('closed')
    expect(circuit.snapshot()).toMatchObject({ calls: 1, failures: 1 })
  })

  it('is enough by default that a single failure opens nothing', async () => {
    const { circuit, fail } = setUp({ callsMin: undefined })
    await fail(1)
    expect(circuit.state).toBe('closed')
  })

  it('is calls that have ended: those that hang do not dilute the failures of the others', async () => {
    const { circuit, ended, fail } = setUp()
    for (let i = 0; i < 100; i++) void ended(hanging)
    await fail(5)
    expect(circuit.state).toBe('open')
  })

  it('is not what a bulkhead refuses, whether that stands inside or outside', async () => {
    const { circuit, clock, deps, ended } = setUp()
    const places = () => bulkhead({ concurrency: 1 }, deps)
    for (const filters of [
      [places(), circuit],
      [circuit, places()],
    ]) {
      for (let i = 0; i < 10; i++) void ended(hanging, filters)
      await clock.advance(0)
      expect(circuit.snapshot()).toMatchObject({ state: 'closed', failures: 0 })
    }
  })

  it('is neither its own refusals, nor a caller’s mistakes, nor a caller’s giving up', async () => {
    const { circuit, clock, ended, openAndWait } = setUp()
    for (const code of ['INVALID_ARGUMENT', 'NOT_FOUND', 'CANCELLED'] as const) {
      for (let i = 0; i < 20; i++) await ended(() => Promise.reject(new PosthasteError(code, 'no')))
    }
    expect(circuit.snapshot()).toMatchObject({ state: 'closed', calls: 0 })
    await openAndWait()
    for (let i = 0; i < 100; i++) void ended(hanging)
    await clock.advance(0)
    expect(circuit.snapshot()).toMatchObject({ rejected: 99, probes: { failed: 0 } })
  })

  it('costs the same however much it was: it is counts, and no list', () => {
    const { circuit } = setUp({ callsMin: 1_000_000 })
    for (let i = 0; i < 100_000; i++) circuit.apply(call, () => 1)
    expect(circuit.snapshot()).toMatchObject({ calls: 100_000, failures: 0 })
  })

  it('is kept by method and endpoint and not by URL, and for so many keys at most', async () => {
    const { deps } = setUp()
    const keyed = breakers({ keysMax: 100 }, deps)
    for (let i = 0; i < 5_000; i++) keyed.apply(createCall({ ...given, target: `GET /orders/${i}` }), () => 1)
    const { keys, freshKeys } = keyed.snapshot() as unknown as { keys: number; freshKeys: number }
    expect(keys + freshKeys).toBeLessThanOrEqual(100)
  })
})

describe('the timeout of a call', () => {
  it('aborts that call, and none that has time left', async () => {
    const { clock, deps, circuit, ended } = setUp()
    const filters = [circuit, timeout({ timeoutMs: 100 }, deps)]
    const signals: AbortSignal[] = []
    const service: Service<number, unknown> = ({ signal }) => {
      signals.push(signal)
      return hanging()
    }
    void ended(service, filters)
    await clock.advance(60)
    void ended(service, filters)
    await clock.advance(60)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })
})

describe('how long a breaker stays open', () => {
  it('differs from one to another, so that they do not all probe at once', async () => {
    const waits = await Promise.all(
      [0, 0.25, 0.5, 0.75].map(async (drawn) => {
        const { circuit, fail } = setUp({}, drawn)
        await fail(5)
        return circuit.notReadyForMs()
      }),
    )
    expect(waits).toEqual([800, 900, 1_000, 1_100])
  })

  it('grows while the probes fail, and not beyond its bound', async () => {
    const { circuit, clock, fail } = setUp({ openMsMax: 4_000 })
    await fail(5)
    const waits: number[] = []
    for (let i = 0; i < 5; i++) {
      waits.push(circuit.notReadyForMs())
      await clock.advance(circuit.notReadyForMs())
      await fail(1)
    }
    expect(waits).toEqual([1_000, 2_000, 4_000, 4_000, 4_000])
  })
})

describe('a half-open breaker', () => {
  it('refuses at once who is not a probe, so that nobody waits for the probe of another', async () => {
    const { ended, openAndWait } = setUp()
    await openAndWait()
    void ended(hanging)
    await expect(ended(() => 1)).resolves.toBe('BREAKER_OPEN')
  })

  it('lets nobody go at once when the probe succeeds: five hundred callers were refused', async () => {
    const { clock, ended, openAndWait, circuit } = setUp()
    await openAndWait()
    const probe = Promise.withResolvers<number>()
    let reached = 0
    const service = () => {
      reached++
      return probe.promise
    }
    const all = Promise.all(Array.from({ length: 500 }, () => ended(service)))
    await clock.advance(0)
    probe.resolve(1)
    const endings = await all
    expect([reached, endings.filter((one) => one === 'BREAKER_OPEN').length]).toEqual([1, 499])
    expect(circuit.state).toBe('closed')
  })

  it('lets as many through as there are probes, and no flood', async () => {
    const { ended, openAndWait } = setUp({ probes: 3 })
    await openAndWait()
    let reached = 0
    for (let i = 0; i < 100; i++) {
      void ended(() => {
        reached++
        return hanging()
      })
    }
    expect(reached).toBe(3)
  })

  it('brings the load back little by little where it is told to', async () => {
    const { ended, openAndWait, circuit } = setUp({ rampMs: 10_000 })
    await openAndWait()
    await ended(() => 1)
    expect(circuit.state).toBe('closed')
    const endings = await Promise.all(Array.from({ length: 101 }, () => ended(() => 1)))
    expect(endings.filter((one) => one === 'answered')).toHaveLength(11)
  })

  it.each(['resolve', 'reject'] as const)('is not moved by a call from before it opened: %s', async (how) => {
    const { clock, ended, openAndWait, circuit } = setUp()
    const early = Promise.withResolvers<number>()
    void ended(() => early.promise)
    await openAndWait()
    void ended(hanging)
    early[how](how === 'resolve' ? 1 : (unavailable as never))
    await clock.advance(0)
    expect(circuit.state).toBe('halfOpen')
  })

  it('ends though its probe hangs and has no timeout', async () => {
    const { clock, ended, openAndWait, circuit } = setUp({ probeWaitMs: 10_000 })
    await openAndWait()
    void ended(hanging)
    await clock.advance(10_000)
    expect(circuit.notReadyForMs()).toBeGreaterThan(0)
    expect(circuit.state).toBe('open')
    await clock.advance(circuit.notReadyForMs())
    await expect(ended(() => 1)).resolves.toBe('answered')
    expect(circuit.state).toBe('closed')
  })

  it('is neither closed nor kept from closing by probes that say nothing', async () => {
    const { ended, openAndWait, circuit } = setUp()
    await openAndWait()
    const callersFault = new PosthasteError('INVALID_ARGUMENT', 'the caller’s fault')
    for (let i = 0; i < 50; i++) await ended(() => Promise.reject(callersFault))
    expect(circuit.state).toBe('halfOpen')
    await ended(() => 1)
    expect(circuit.state).toBe('closed')
  })

  it('asks for as many good probes as it is set to', async () => {
    const { ended, openAndWait, circuit } = setUp({ probes: 3 })
    await openAndWait()
    for (const state of ['halfOpen', 'halfOpen', 'closed']) {
      await ended(() => 1)
      expect(circuit.state).toBe(state)
    }
  })

  it('gives the place of a probe whose caller gave up to another', async () => {
    const { clock, circuit, openAndWait, ended } = setUp()
    await openAndWait()
    const source = cancelSource()
    const service: Service<number, unknown> = ({ cancellation }) =>
      new Promise((_, reject) => void cancellation.onCancel(reject))
    const probe = Promise.resolve(
      compose([circuit], service)(createCall({ ...given, cancellation: source.token })),
    ).catch(() => {})
    source.cancel(new PosthasteError('CANCELLED', 'gone'))
    await probe
    await clock.advance(0)
    expect(circuit.state).toBe('halfOpen')
    await expect(ended(() => 1)).resolves.toBe('answered')
  })
})
