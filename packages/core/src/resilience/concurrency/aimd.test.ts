import { describe, expect, it } from 'vitest'
import { Aimd } from './aimd.ts'

const settings = { initial: 20, min: 10, max: 30, backoffRatio: 0.9, slowMs: 1_000 }
const call = (inFlight: number) => ({ startedAtMs: 0, inFlight })

describe('additive increase, multiplicative decrease', () => {
  it('adds one where at least half of the limit was under way, and else nothing', () => {
    const aimd = new Aimd(settings)
    aimd.ended(call(9), 10, false)
    expect(aimd.limit).toBe(20)
    aimd.ended(call(10), 10, false)
    expect(aimd.limit).toBe(21)
    aimd.ended(call(10), 10, false)
    expect(aimd.limit).toBe(21)
  })

  it('takes a tenth away for a call that was dropped or slow, in whole calls', () => {
    const aimd = new Aimd(settings)
    aimd.ended(call(1), 10, true)
    expect(aimd.limit).toBe(18)
    aimd.ended(call(20), 1_001, false)
    expect(aimd.limit).toBe(16)
    aimd.ended(call(20), 1_000, false)
    expect(aimd.limit).toBe(17)
  })

  it('stays within its bounds', () => {
    const aimd = new Aimd(settings)
    for (let n = 0; n < 20; n++) aimd.ended(call(20), 10, true)
    expect(aimd.limit).toBe(10)
    for (let n = 0; n < 50; n++) aimd.ended(call(30), 10, false)
    expect(aimd.limit).toBe(30)
  })
})
