import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Rig, remedy, server } from '../test/rig.ts'
import { type RedisRateLimits, redisRateLimits } from './redis-rate-limits.ts'

const minute = 60_000

describe.skipIf(server === undefined)(`rates in Redis (${remedy})`, () => {
  let rig: Rig
  let stores: [RedisRateLimits, RedisRateLimits]
  let made = 0
  const newKey = (): string => `rate-${++made}`
  beforeAll(() => {
    rig = new Rig()
    stores = [rig.open(redisRateLimits), rig.open(redisRateLimits)]
  })
  afterAll(() => rig.close())

  it('lets a burst through, and then one whenever a unit of time has passed', async () => {
    const [store] = stores
    const key = newKey()
    const limit = { unitMs: minute, burst: 3 }
    const remaining: number[] = []
    for (let n = 0; n < 3; n++) remaining.push((await store.take(key, 1, limit)).remaining)
    expect(remaining).toEqual([2, 1, 0])
    const refused = await store.take(key, 1, limit)
    expect(refused).toMatchObject({ allowed: false, remaining: 0 })
    expect(refused.retryAfterMs).toBeGreaterThan(minute / 2)
    expect(refused.retryAfterMs).toBeLessThanOrEqual(minute)
    expect(refused.resetAfterMs).toBeGreaterThan(2.5 * minute)
    expect(refused.resetAfterMs).toBeLessThanOrEqual(3 * minute)
    await rig.advance(minute)
    expect(await store.take(key, 1, limit)).toMatchObject({ allowed: true, remaining: 0 })
    expect(await store.take(key, 1, limit)).toMatchObject({ allowed: false })
  })

  it('takes all units or none, and more than a burst never', async () => {
    const [store] = stores
    const key = newKey()
    const limit = { unitMs: minute, burst: 3 }
    expect(await store.take(key, 2, limit)).toMatchObject({ allowed: true, remaining: 1, retryAfterMs: 0 })
    expect(await store.take(key, 2, limit)).toMatchObject({ allowed: false, remaining: 1 })
    expect(await store.take(key, 1, limit)).toMatchObject({ allowed: true })
    expect(await store.take(newKey(), 4, limit)).toMatchObject({
      allowed: false,
      retryAfterMs: Number.POSITIVE_INFINITY,
    })
  })

  it('lets no more through than a burst, however many processes ask at a time', async () => {
    const key = newKey()
    const asked = Array.from({ length: 200 }, (_, n) => stores[n % 2]?.take(key, 1, { unitMs: minute, burst: 50 }))
    const allowed = (await Promise.all(asked)).filter((decision) => decision?.allowed)
    expect(allowed).toHaveLength(50)
  })

  it('keeps to a rate in real time, whose unit no whole number of microseconds is', async () => {
    const key = newKey()
    const limit = { unitMs: 10 / 3, burst: 5 }
    const began = performance.now()
    let allowed = 0
    for (let n = 0; n < 300; n++) if ((await stores[0].take(key, 1, limit)).allowed) allowed++
    expect(allowed).toBeLessThanOrEqual(Math.floor(limit.burst + (performance.now() - began) / limit.unitMs) + 1)
    expect(allowed).toBeGreaterThanOrEqual(limit.burst)
  })

  it('is as the model of it, whatever is taken in whatever order', async () => {
    // Time goes by in halves of a unit, so that the seconds that really go by change nothing.
    const step = fc.oneof(
      fc.record({ units: fc.integer({ min: 0, max: 5 }), waits: fc.constant(0) }),
      fc.record({ units: fc.constant(0), waits: fc.integer({ min: 1, max: 5 }) }),
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(step, { maxLength: 20 }), async (burst, steps) => {
        const key = newKey()
        const unitMs = 100 * minute
        let aheadUnits = 0
        for (const [n, { units, waits }] of steps.entries()) {
          if (waits > 0) {
            const slack = unitMs / 4
            await rig.advance(waits * unitMs + (n === 0 ? slack : 0))
            aheadUnits = Math.max(aheadUnits - waits, 0)
            continue
          }
          const allowed = aheadUnits + units <= burst
          if (allowed) aheadUnits += units
          const decision = await stores[n % 2]?.take(key, units, { unitMs, burst })
          expect(decision?.allowed).toBe(allowed)
          // What has really gone by gives back less than one unit.
          expect(decision?.remaining).toBe(burst - aheadUnits)
        }
      }),
      { numRuns: 30 },
    )
  })

  it('forgets a key when it says nothing any more', async () => {
    const key = newKey()
    await stores[0].take(key, 2, { unitMs: minute, burst: 3 })
    const [stored = ''] = (await rig.keys()).filter((name) => name.endsWith(key))
    const leftMs = await rig.client.pttl(stored)
    expect(leftMs).toBeGreaterThan(minute)
    expect(leftMs).toBeLessThanOrEqual(2 * minute)
    await stores[0].take(newKey(), 0, { unitMs: minute, burst: 3 })
    expect((await rig.keys()).some((name) => name.endsWith(`rate-${made}`))).toBe(false)
  })
})
