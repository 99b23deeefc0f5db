import { describe, expect, it } from 'vitest'
import { ServerTime } from './time.ts'

const between = { beganMs: 1_000_000, endedMs: 1_000_010 }

describe('the time of the server', () => {
  it('is ours until it is known, and where the way there explains the difference', () => {
    const time = new ServerTime()
    time.measured(between.beganMs + 8, between)
    expect(time.toOurs(1_000)).toBe(1_000)
  })

  it('is converted both ways where it differs', () => {
    const time = new ServerTime()
    expect(time.measured(between.beganMs + 5 + 60_000, between)).toBe(6)
    expect(time.aheadMs).toBe(60_000)
    expect(time.toOurs(time.toServers(123))).toBe(123)
    expect(time.toServers(0)).toBe(60_000)
  })
})
