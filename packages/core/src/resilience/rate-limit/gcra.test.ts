import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gcra } from './gcra.ts'

const never = Number.NEGATIVE_INFINITY
/** Ten a second, three at once. */
const limit = { unitMs: 100, burst: 3 }

describe('the generic cell rate algorithm', () => {
  it('lets a burst through, and then one whenever a unit of time has passed', () => {
    let arrivalAtMs = never
    const take = (nowMs: number): boolean => {
      const step = gcra({ arrivalAtMs, nowMs, units: 1 }, limit)
      arrivalAtMs = step.arrivalAtMs
      return step.allowed
    }
    expect([0, 0, 0, 0, 99, 100, 100, 199, 200].map(take)).toEqual([
      ...[true, true, true, false],
      ...[false, true, false, false, true],
    ])
  })

  it('says how many may still come, when the next may, and when all of a burst may', () => {
    expect(gcra({ arrivalAtMs: never, nowMs: 1_000, units: 2 }, limit)).toEqual({
      ...{ allowed: true, arrivalAtMs: 1_200, remaining: 1, retryAfterMs: 0, resetAfterMs: 200 },
    })
    expect(gcra({ arrivalAtMs: 1_300, nowMs: 1_010, units: 1 }, limit)).toEqual({
      ...{ allowed: false, arrivalAtMs: 1_300, remaining: 0, retryAfterMs: 90, resetAfterMs: 290 },
    })
  })

  it('takes all units or none, and a refusal changes nothing', () => {
    const refused = gcra({ arrivalAtMs: 1_200, nowMs: 1_000, units: 2 }, limit)
    expect(refused).toMatchObject({ allowed: false, arrivalAtMs: 1_200, remaining: 1, retryAfterMs: 100 })
    expect(gcra({ ...refused, nowMs: 1_100, units: 2 }, limit)).toMatchObject({ allowed: true, arrivalAtMs: 1_400 })
  })

  it('says that more than a burst never comes', () => {
    const refused = gcra({ arrivalAtMs: never, nowMs: 0, units: 4 }, limit)
    expect(refused).toMatchObject({ allowed: false, retryAfterMs: Number.POSITIVE_INFINITY, resetAfterMs: 0 })
  })

  it('lets units through at rates that no binary fraction can say, as long as it may run', () => {
    const third = { unitMs: 1_000 / 3, burst: 1 }
    let arrivalAtMs = never
    for (let second = 1_000_000; second < 1_003_000; second++) {
      for (const part of [0, 1_000 / 3, 2_000 / 3]) {
        const step = gcra({ arrivalAtMs, nowMs: second * 1_000 + part, units: 1 }, third)
        expect(step.allowed).toBe(true)
        arrivalAtMs = step.arrivalAtMs
      }
    }
  })

  it('never lets more through in any stretch of time than a burst and the rate, nor refuses while there is room', () => {
    const program = fc.array(fc.record({ afterMs: fc.nat(400), units: fc.integer({ min: 1, max: 4 }) }), {
      maxLength: 60,
    })
    const anyLimit = fc.record({ unitMs: fc.integer({ min: 1, max: 300 }), burst: fc.integer({ min: 1, max: 8 }) })
    fc.assert(
      fc.property(anyLimit, program, (rate, steps) => {
        let arrivalAtMs = never
        let nowMs = 0
        const passed: { readonly atMs: number; readonly units: number }[] = []
        /** Of all stretches that end now, the fullest: what passed in it beyond what the rate gives. */
        const beyondRate = (): number =>
          passed.reduce((most, { atMs }, first) => {
            const units = passed.slice(first).reduce((sum, one) => sum + one.units, 0)
            return Math.max(most, units - (nowMs - atMs) / rate.unitMs)
          }, 0)
        for (const { afterMs, units } of steps) {
          nowMs += afterMs
          const room = rate.burst - beyondRate()
          const step = gcra({ arrivalAtMs, nowMs, units }, rate)
          expect(step.allowed).toBe(units <= room + 1e-6)
          if (step.allowed) passed.push({ atMs: nowMs, units })
          expect(beyondRate()).toBeLessThanOrEqual(rate.burst + 1e-6)
          arrivalAtMs = step.arrivalAtMs
          if (!step.allowed && step.retryAfterMs < Number.POSITIVE_INFINITY) {
            const again = gcra({ arrivalAtMs, nowMs: nowMs + step.retryAfterMs, units }, rate)
            expect(again.allowed).toBe(true)
          }
        }
      }),
    )
  })
})
