import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { ServerTime } from './time.ts'

describe('the time of the server', () => {
  it('is ours until it is known, and where the way there explains the difference', async () => {
    const clock = manualClock()
    const time = new ServerTime(clock)
    const beganMs = clock.nowMs()
    await clock.advance(10)
    time.measured(beganMs + 8, beganMs)
    expect(time.toOurs(1_000)).toBe(1_000)
  })

  it('is converted both ways where it differs', async () => {
    const clock = manualClock()
    const time = new ServerTime(clock)
    const beganMs = clock.nowMs()
    await clock.advance(10)
    expect(time.measured(beganMs + 5 + 60_000, beganMs)).toBe(6)
    expect(time.aheadMs).toBe(60_000)
    expect(time.toOurs(time.toServers(123))).toBe(123)
    expect(time.toServers(0)).toBe(60_000)
  })
})
