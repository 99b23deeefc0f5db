import assert from 'node:assert/strict'
import { type Filter, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { createCall } from '../../src/pipeline/call.ts'
import { filterDeps } from '../../src/pipeline/stack.ts'
import { memoryRateLimits } from '../../src/resilience/rate-limit/local-rates.ts'
import { rateLimit } from '../../src/resilience/rate-limit/rate-limit.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'

/** Where the rate is kept. */
type Kept = 'once' | 'by key' | 'in a store'

interface Settings {
  readonly unitMs: number
  readonly burst: number
  readonly kept: Kept
}

/** A bucket that leaks a unit each `unitMs`: how many milliseconds are in it, and when that was so. */
interface Bucket {
  readonly levelMs: number
  readonly atMs: number
}

interface Reference {
  readonly settings: Settings
  readonly buckets: Map<string, Bucket>
  /** When what was refused last may come. */
  refusedUntilMs: number
}

interface Real {
  readonly clock: ManualClock
  readonly filter: Filter
}

type RateStep = Step<Reference, Real>

const empty: Bucket = { levelMs: 0, atMs: 0 }

const take = (key: string, units: number): RateStep => ({
  label: `take ${units} of ${key}`,
  run(reference, { clock, filter }) {
    const { settings, buckets } = reference
    const nowMs = clock.monotonicMs()
    const name = settings.kept === 'once' ? 'all' : key
    const { levelMs, atMs } = buckets.get(name) ?? empty
    const leakedMs = Math.max(levelMs - (nowMs - atMs), 0)
    const overMs = leakedMs + units * settings.unitMs - settings.burst * settings.unitMs
    if (overMs <= 0) buckets.set(name, { levelMs: leakedMs + units * settings.unitMs, atMs: nowMs })
    const never = units > settings.burst
    const expected = overMs <= 0 ? 'passed' : never ? 'never' : overMs
    if (typeof expected === 'number') reference.refusedUntilMs = nowMs + expected
    assert.equal(outcomeOf(filter, key, units), expected)
    if (settings.kept === 'once') compareWhole(buckets.get(name) ?? empty, reference, { clock, filter })
  },
})

/** `passed`, `never`, or in how many milliseconds it may come again. */
function outcomeOf(filter: Filter, key: string, units: number): unknown {
  const call = createCall({ kind: 'request', target: 't', id: '1', payload: units, headers: { key } })
  try {
    return filter.apply(call, () => 'passed')
  } catch (thrown) {
    if (!PosthasteError.is(thrown, 'RATE_LIMITED')) throw thrown
    return thrown.retryAfterMs ?? 'never'
  }
}

/** Without a key it is known how many may still come, and when the next, which is not before what was refused last. */
function compareWhole({ levelMs, atMs }: Bucket, reference: Reference, { clock, filter }: Real): void {
  const { unitMs, burst } = reference.settings
  const nowMs = clock.monotonicMs()
  const leakedMs = Math.max(levelMs - (nowMs - atMs), 0)
  assert.equal(filter.snapshot?.().remaining, Math.floor((burst * unitMs - leakedMs) / unitMs))
  const waitMs = Math.max(leakedMs + unitMs - burst * unitMs, reference.refusedUntilMs - nowMs, 0)
  assert.equal(filter.notReadyForMs?.(), waitMs)
}

const advance = (byMs: number): RateStep => ({
  label: `advance ${byMs} ms`,
  async run(_, { clock }) {
    await clock.advance(byMs)
  },
})

/** The rate limit against leaking buckets: the continuous form of the same algorithm. */
export const model = modelOf<Settings, Reference, Real>({
  name: 'rate limit',
  settings: fc.record({
    unitMs: fc.integer({ min: 1, max: 100 }),
    burst: fc.integer({ min: 1, max: 6 }),
    kept: fc.constantFrom('once', 'by key', 'in a store'),
  }),
  steps: [
    fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.integer({ min: 1, max: 3 })).map(([key, units]) => take(key, units)),
    fc.tuple(fc.constantFrom('a', 'b', 'c'), fc.nat(7)).map(([key, units]) => take(key, units)),
    fc.oneof(fc.nat(20), fc.nat(200), fc.nat(2_000)).map(advance),
  ],
  start(settings) {
    const { unitMs, burst, kept } = settings
    const clock = manualClock()
    const key =
      kept === 'once'
        ? undefined
        : ({ headers }: { readonly headers: Readonly<Record<string, string>> }) => headers.key ?? ''
    const store = kept === 'in a store' ? memoryRateLimits({}, clock) : undefined
    const units = ({ payload }: { readonly payload: unknown }): number => Number(payload)
    const options = { rate: 1, perMs: unitMs, burst, key, store, units }
    const filter = rateLimit(options, filterDeps({ clock, random: () => 0.5 }))
    return {
      model: { settings, buckets: new Map(), refusedUntilMs: Number.NEGATIVE_INFINITY },
      real: { clock, filter },
    }
  },
})
