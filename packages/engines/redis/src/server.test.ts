import { describe, expect, it } from 'vitest'
import { judge } from './server.ts'
import { ServerTime } from './server-time.ts'

const safe = { appendonly: 'yes', appendfsync: 'always', 'maxmemory-policy': 'noeviction' }

describe('a server', () => {
  it('that syncs each write and drops nothing is durable', () => {
    expect(judge(new Map(Object.entries(safe)))).toEqual({ durability: 'disk', warnings: [] })
  })

  it.each([
    ['appendonly', 'no', /memory alone/],
    ['appendfsync', 'everysec', /last second/],
    ['maxmemory-policy', 'allkeys-lru', /drops messages/],
  ])('whose %s is %s is not, and that is said', (setting, value, warning) => {
    const { durability, warnings } = judge(new Map(Object.entries({ ...safe, [setting]: value })))
    expect(durability).toBe('none')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(warning)
  })
})

describe('the time of a server', () => {
  it('is ours where the difference is within its error', () => {
    const time = new ServerTime()
    time.measured(0.8, 1)
    expect([time.atServer(1_000), time.atHome(1_000)]).toEqual([1_000, 1_000])
  })

  it('is converted both ways where it differs', () => {
    const time = new ServerTime()
    time.measured(-5_000, 2)
    expect([time.atServer(10_000), time.atHome(5_000)]).toEqual([5_000, 10_000])
  })

  it('is never earlier than asked for, and 0 where nothing is', () => {
    const time = new ServerTime()
    expect(time.atServer(1_000.2)).toBe(1_001)
    expect(time.atServer(undefined)).toBe(0)
    expect(time.atServer(-5)).toBe(0)
  })
})
