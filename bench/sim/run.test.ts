import { describe, expect, it } from 'vitest'
import { type Contestant, contestants, ours } from './contestants.ts'
import { figuresOf } from './figures.ts'
import { exponential, logNormal } from './random.ts'
import { type CallRecord, simulate } from './run.ts'
import { type Scenario, scenarios } from './scenarios.ts'

/** A few seconds of the first scenario: well, down, and well again. */
const short: Scenario = { ...scenarios[0]!, faultFromMs: 1_000, faultToMs: 3_000, endMs: 9_000 }

describe('a simulation', () => {
  it.each(contestants)('is decided by its seed: $name', async (contestant) => {
    const figures = async (seed: number) => figuresOf(short, await simulate(short, contestant, seed))
    const first = await figures(1)
    expect(await figures(1)).toEqual(first)
    expect(await figures(2)).not.toEqual(first)
  })

  it('offers the same calls to everybody', async () => {
    const starts = async (contestant: Contestant) =>
      (await simulate(short, contestant, 3)).calls.map(({ atMs }) => atMs).sort((a, b) => a - b)
    expect(await starts(contestants[1]!)).toEqual(await starts(ours))
  })

  it.each(contestants)('ends every call, and leaves no work behind: $name', async (contestant) => {
    const { calls, offered, left } = await simulate(short, contestant, 4)
    expect(offered).toBeGreaterThan(1_000)
    expect(calls).toHaveLength(offered)
    expect(left).toBe(0)
  })

  it('passes calls on through tiers, and what fails in the last one reaches the callers', async () => {
    const storm = scenarios.find(({ name }) => name === 'retry storm')!
    const run = await simulate({ ...storm, faultFromMs: 1_000, faultToMs: 2_000, endMs: 2_500 }, contestants[0]!, 1)
    const before = run.calls.filter(({ atMs }) => atMs < 500)
    expect(run.arrivals.map((times) => times.length)).toEqual([run.offered, run.offered, run.offered])
    expect(before.every(({ ok }) => ok)).toBe(true)
    expect(run.calls.some(({ ok }) => !ok)).toBe(true)
  })

  it('queues as theory says: M/M/1 and M/D/1 at 80 % have mean times of 5 and 3 services', async () => {
    const serviceMs = 10
    const queue: Scenario = {
      ...short,
      tiers: [{ name: 'queue', instances: 1, workers: 1, serviceMs: exponential(serviceMs) }],
      ratePerSecond: 80,
      faultFromMs: 10_000,
      faultToMs: 300_000,
      endMs: 300_000,
    }
    const even = { ...queue, tiers: [{ ...queue.tiers[0]!, serviceMs: () => serviceMs }] }
    expect(Math.abs((await meanMs(queue)) / serviceMs / 5 - 1)).toBeLessThan(0.15)
    expect(Math.abs((await meanMs(even)) / serviceMs / 3 - 1)).toBeLessThan(0.15)
  })

  it('refuses at an instance that has a guard, and only there', async () => {
    const refusing: Contestant = {
      ...contestants[0]!,
      guard: () => () => Promise.reject(new Error('guarded')),
    }
    const { calls, arrivals, offered } = await simulate({ ...short, endMs: 900 }, refusing, 1)
    expect(arrivals[0]).toHaveLength(offered)
    expect(calls.filter(({ ok }) => ok)).toEqual([])
    expect(calls.every(({ atMs, endedAtMs }) => Math.abs(endedAtMs - atMs - 2) < 0.001)).toBe(true)
  })

  it('answers no more than the callee can', async () => {
    const [busy] = scenarios.filter(({ name }) => name === 'overload')
    const scenario = { ...busy!, faultFromMs: 1_000, faultToMs: 4_000, endMs: 4_000 }
    const { arrivals } = await simulate(scenario, contestants[0]!, 1)
    const { goodputShare } = figuresOf(scenario, await simulate(scenario, contestants[0]!, 1))
    expect(arrivals[0]!.length).toBeGreaterThan(3_000)
    expect(goodputShare).toBeLessThanOrEqual(1.1)
  })
})

/** How long calls take at the callee, without the network, and whatever their callers' patience. */
async function meanMs(scenario: Scenario): Promise<number> {
  const patient: Contestant = { ...contestants[0]!, create: ({ send }) => send }
  const { calls } = await simulate(scenario, patient, 5)
  const took = ({ atMs, endedAtMs }: CallRecord): number => endedAtMs - atMs - 2
  return calls.reduce((sum, call) => sum + took(call), 0) / calls.length
}

describe('figures of a run', () => {
  const scenario: Scenario = { ...short, tiers: [{ ...short.tiers[0]!, serviceMs: logNormal(40, 0.5) }] }
  const call = (atMs: number, ok: boolean, tookMs = 10): CallRecord => ({ atMs, endedAtMs: atMs + tookMs, ok })

  it('count what began during the fault', () => {
    const calls = [call(999, false), call(1_000, true), call(2_000, true, 30), call(2_999, false), call(3_000, false)]
    const run = { calls, offered: 5, arrivals: [[999, 1_000, 1_001, 2_000, 2_999, 3_000]], left: 0 }
    const { successShare, p50Ms, p99Ms, amplification, goodputShare } = figuresOf(scenario, run)
    expect({ successShare, p50Ms, p99Ms }).toEqual({ successShare: 2 / 3, p50Ms: 30, p99Ms: 30 })
    expect(amplification).toEqual([4 / 3])
    expect(goodputShare).toBe(2 / 2 / 400)
  })

  it('take a callee for recovered when calls of two seconds are answered', () => {
    const calls = Array.from({ length: 120 }, (_, at) => call(3_000 + at * 50, at >= 31))
    const { recoveryMs } = figuresOf(scenario, { calls, offered: 120, arrivals: [[]], left: 0 })
    expect(recoveryMs).toBe(1_600)
    const never = calls.map((each, at) => ({ ...each, ok: at % 10 > 0 }))
    expect(figuresOf(scenario, { calls: never, offered: 120, arrivals: [[]], left: 0 }).recoveryMs).toBeNull()
  })
})
