import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { duesOf, volley } from './volley.ts'

describe('when requests are due', () => {
  it('follows the rate of each phase', () => {
    expect(duesOf([{ perS: 2, forMs: 1_000 }])).toEqual([0, 500])
    expect(
      duesOf([
        { perS: 1, forMs: 2_000 },
        { perS: 4, forMs: 500 },
      ]),
    ).toEqual([0, 1_000, 2_000, 2_250])
  })

  it('is as often as the phases say, in order, and within them', () => {
    const phase = fc.record({ perS: fc.nat(100), forMs: fc.nat(5_000) })
    fc.assert(
      fc.property(fc.array(phase, { maxLength: 4 }), (phases) => {
        const dues = duesOf(phases)
        const wanted = phases.reduce((sum, { perS, forMs }) => sum + Math.round((perS * forMs) / 1_000), 0)
        const lengthMs = phases.reduce((sum, { forMs }) => sum + forMs, 0)
        expect(dues).toHaveLength(wanted)
        expect(dues).toEqual([...dues].sort((one, other) => one - other))
        expect(dues.every((due) => due >= 0 && due < lengthMs)).toBe(true)
      }),
    )
  })
})

it('a volley does not wait for one request before it makes the next', async () => {
  const waiting: (() => void)[] = []
  const fired = new Promise<void>((resolve) => {
    const check = (): void => {
      if (waiting.length === 3) resolve()
    }
    void volley(
      [{ perS: 3_000, forMs: 1 }],
      () =>
        new Promise<number>((answer) => {
          waiting.push(() => answer(200))
          check()
        }),
    ).then((shots) => statuses.push(...shots.map(({ status }) => status)))
  })
  const statuses: number[] = []
  await fired
  for (const answer of waiting) answer()
  await expect.poll(() => statuses).toEqual([200, 200, 200])
})
