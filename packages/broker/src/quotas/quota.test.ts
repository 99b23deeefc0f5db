import { describe, expect, it } from 'vitest'
import { UserQuota } from './quota.ts'

const open = {
  connectionsMax: undefined,
  channelsMax: undefined,
  bytesInFlightMax: undefined,
  recordsPerSecondMax: undefined,
}

describe('a quota', () => {
  it('gives credit back at once where nothing is limited', () => {
    const quota = new UserQuota(open, () => 0)
    let given = 0
    quota.took(1_000_000)
    quota.confirmed(1_000_000, () => given++)
    expect([given, quota.waitMs(1_000_000), quota.isFull]).toEqual([1, 0, false])
  })

  it('holds credit back while too much is in flight, and gives it in order as it gets less', () => {
    const quota = new UserQuota({ ...open, bytesInFlightMax: 100 }, () => 0)
    const given: string[] = []
    for (const bytes of [80, 90, 70]) quota.took(bytes)
    quota.confirmed(80, () => given.push('first'))
    expect(given).toEqual([])
    quota.confirmed(90, () => given.push('second'))
    expect(given).toEqual(['first', 'second'])
    quota.confirmed(70, () => given.push('third'))
    expect(given).toEqual(['first', 'second', 'third'])
  })

  it('has whoever is too fast wait as long as it takes to be as fast as allowed', () => {
    let nowMs = 0
    const quota = new UserQuota({ ...open, recordsPerSecondMax: 1_000 }, () => nowMs)
    expect(quota.waitMs(100)).toBe(0)
    expect(quota.waitMs(500)).toBe(500)
    nowMs = 500
    expect(quota.waitMs(10)).toBe(10)
    nowMs = 10_000
    // A pause is worth a tenth of a second, not all of it.
    expect(quota.waitMs(1_000)).toBe(900)
  })

  it('counts connections', () => {
    const quota = new UserQuota({ ...open, connectionsMax: 1 }, () => 0)
    expect(quota.isFull).toBe(false)
    quota.connections += 1
    expect(quota.isFull).toBe(true)
  })
})
