import { describe, expect, it } from 'vitest'
import { faultKinds, planFaults } from './plan.ts'

describe('planFaults', () => {
  it('plans the same for the same seed', () => {
    expect(planFaults(5, 30)).toEqual(planFaults(5, 30))
    expect(planFaults(5, 30)).not.toEqual(planFaults(6, 30))
  })

  it('has every kind once before any comes again', () => {
    const kinds = planFaults(1, 2 * faultKinds.length).map(({ kind }) => kind)
    expect(new Set(kinds.slice(0, faultKinds.length))).toEqual(new Set(faultKinds))
    expect(new Set(kinds.slice(faultKinds.length))).toEqual(new Set(faultKinds))
  })

  it('plans only what may be', () => {
    expect(new Set(planFaults(1, 10, ['cut', 'kill']).map(({ kind }) => kind))).toEqual(new Set(['cut', 'kill']))
    for (const { lastsMs } of planFaults(3, 100)) expect(lastsMs).toBeGreaterThanOrEqual(500)
  })
})
