import { describe, expect, it } from 'vitest'
import { Flow } from './flow.ts'

/** Both kinds every 10 ms, from one time up to another. */
function steady(flow: Flow, fromMs: number, toMs: number): void {
  for (let atMs = fromMs; atMs < toMs; atMs += 10) {
    flow.confirmed(atMs)
    flow.delivered(atMs)
  }
}

describe('Flow', () => {
  it('tells how much flows in a window', () => {
    const flow = new Flow()
    steady(flow, 0, 1_000)
    expect(flow.rate(1_000, 1_000)).toEqual({ confirmed: 50, delivered: 50 })
  })

  it('tells when the first came, and when it was as before', () => {
    const flow = new Flow()
    steady(flow, 0, 1_000)
    const before = flow.rate(1_000, 1_000)
    flow.delivered(2_100)
    expect(flow.recovery(2_000, before, 2_600)).toBeUndefined()
    steady(flow, 3_000, 4_000)
    const recovery = flow.recovery(2_000, before, 4_000)
    expect(recovery?.firstMs).toBe(100)
    expect(recovery?.fullMs).toBeGreaterThan(800)
    expect(recovery?.fullMs).toBeLessThan(1_100)
  })

  it('does not wait for what was only caught up before to come again and again', () => {
    const flow = new Flow()
    steady(flow, 0, 1_000)
    for (let late = 0; late < 200; late += 1) flow.delivered(990)
    const before = flow.rate(1_000, 1_000)
    steady(flow, 1_000, 2_000)
    expect(flow.recovery(1_000, before, 2_000)).toEqual({ firstMs: 0, fullMs: 0 })
  })

  it('has not recovered before anything came, or while only half of it flows', () => {
    const flow = new Flow()
    steady(flow, 0, 1_000)
    const before = flow.rate(1_000, 1_000)
    expect(flow.recovery(1_000, before, 5_000)).toBeUndefined()
    for (let atMs = 1_000; atMs < 3_000; atMs += 10) flow.delivered(atMs)
    expect(flow.recovery(1_000, before, 3_000)).toBeUndefined()
  })
})
