import { describe, expect, it } from 'vitest'
import { resultOf, tableOf } from './document.ts'

const rate = { case: 'publish', unit: 'msg/s', ours: 60_000.4, peers: { raw: 100_000 } }

describe('a result', () => {
  it('has a ratio of ours to each peer and to the limit', () => {
    const limit = { name: 'disk', value: 240_000 }
    expect(resultOf({ ...rate, limit }).ratios).toEqual({ raw: 0.6, disk: 0.25 })
  })

  it('meets a goal against a peer or misses it', () => {
    expect(resultOf({ ...rate, goal: { min: 0.5, of: 'raw' } })).toMatchObject({
      met: true,
      goal: 'at least 0.5 of raw',
    })
    expect(resultOf({ ...rate, goal: { min: 0.7, of: 'raw' } }).met).toBe(false)
  })

  it('meets a goal as such or misses it', () => {
    const goal = { min: 100_000 }
    expect(resultOf({ ...rate, goal })).toMatchObject({ met: false, goal: 'at least 100,000 msg/s' })
    expect(resultOf({ ...rate, ours: 100_000, goal }).met).toBe(true)
  })

  it('meets a bound or passes it', () => {
    const goal = { max: 2_000 }
    expect(resultOf({ ...rate, unit: 'ms', ours: 2_000, goal })).toMatchObject({ met: true, goal: 'at most 2,000 ms' })
    expect(resultOf({ ...rate, unit: 'ms', ours: 2_001, goal }).met).toBe(false)
  })

  it('meets a bound against a peer or passes it', () => {
    const goal = { max: 0.6, of: 'raw' }
    expect(resultOf({ ...rate, goal })).toMatchObject({ met: false, goal: 'at most 0.6 of raw' })
    expect(resultOf({ ...rate, ours: 60_000, goal }).met).toBe(true)
  })

  it('does not meet a goal against a peer that was not measured', () => {
    expect(resultOf({ ...rate, goal: { min: 0.5, of: 'another' } }).met).toBe(false)
  })

  it('without a goal is neither met nor missed', () => {
    expect(resultOf(rate)).toMatchObject({ goal: null, met: null, limit: null })
  })

  it('keeps no digits that mean nothing', () => {
    expect(resultOf(rate).ours).toBe(60_000)
    expect(resultOf({ ...rate, ours: 1.23456 }).ours).toBe(1.23)
  })
})

describe('the table', () => {
  it('shows ours, the peers and the verdict', () => {
    const machine = { cpu: 'a cpu', cores: 2, node: '26', platform: 'linux x64', fs: 'ext4' }
    const results = [resultOf({ ...rate, goal: { min: 0.7, of: 'raw' } })]
    const table = tableOf({ bench: 'embedded', machine, method: { rounds: 5 }, results })
    expect(table).toMatch(/cpu a cpu, cores 2/)
    expect(table).toMatch(/ours +60,000 msg\/s +MISSED: at least 0.7 of raw/)
    expect(table).toMatch(/raw +100,000 msg\/s +ratio 0.6/)
  })
})
