import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rig } from '../../../test/rig.ts'
import { figuresOf, quantile } from './figures.ts'

describe('bench', () => {
  it('publishes and consumes all, and leaves an empty queue', async () => {
    const cli = rig()
    const { code, out } = await cli.run(['bench', '--messages', '250', '--batch', '100', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      ...{ engine: 'memory', channel: 'posthaste-bench', messages: 250, bytes: 100, batch: 100 },
      publish: { perSecond: expect.any(Number) },
      consume: { p99Ms: expect.any(Number) },
    })
    await cli.with(async (engine) =>
      expect(await engine.lag!.lag('posthaste-bench', 'bench')).toMatchObject({ ready: 0 }),
    )
  })

  it('takes away what an earlier run has left, and counts it for nothing', async () => {
    const cli = rig()
    await cli.run(['bench', '--messages', '1'])
    await cli.run(['publish', 'posthaste-bench', '"left"'])
    expect((await cli.run(['bench', '--messages', '10'])).code).toBe(0)
    await cli.with(async (engine) =>
      expect(await engine.lag!.lag('posthaste-bench', 'bench')).toMatchObject({ ready: 0 }),
    )
  })

  it('that is interrupted takes away what it has published', async () => {
    const cli = rig()
    const enough = new AbortController()
    const onText = (text: string): void => {
      if (text.startsWith('publishing')) enough.abort('SIGINT')
    }
    expect(await cli.run(['bench'], { signal: enough.signal, onText })).toMatchObject({ code: 130, out: '' })
    await cli.with(async (engine) =>
      expect(await engine.lag!.lag('posthaste-bench', 'bench')).toMatchObject({ ready: 0 }),
    )
  })
})

describe('figures', () => {
  it('are what was measured', () => {
    expect(figuresOf({ count: 2_000, elapsedMs: 500, timesMs: [3, 1, 2, 4] }, 100)).toEqual({
      ...{ perSecond: 4_000, megabytesPerSecond: 0.4, p50Ms: 2, p99Ms: 4, seconds: 0.5 },
    })
    expect(figuresOf({ count: 1, elapsedMs: 0, timesMs: [] }, 1).perSecond).toBe(0)
  })

  it('have quantiles that are among the values, with as many of them below', () => {
    const values = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1 }).map((all) => all.sort((a, b) => a - b))
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (sorted, share) => {
        const found = quantile(sorted, share)
        expect(sorted).toContain(found)
        expect(sorted.filter((value) => value <= found).length).toBeGreaterThanOrEqual(share * sorted.length - 1e-9)
      }),
    )
  })
})
