import { describe, expect, it } from 'vitest'
import { withSimulatedGlobals } from './globals.ts'
import { Timeline } from './timeline.ts'

describe('simulated globals', () => {
  it('are those of the simulation while it runs, and of the machine again afterwards', async () => {
    const before = [Date.now, Math.random, globalThis.setTimeout, globalThis.clearTimeout, performance.now]
    const timeline = new Timeline()
    const notes: unknown[] = []
    const run = withSimulatedGlobals(
      timeline,
      () => 0.25,
      async () => {
        const start = [Date.now(), performance.now()] as const
        setTimeout((text: string) => notes.push([text, Date.now() - start[0]]), 40, 'timeout')
        clearTimeout(setTimeout(() => notes.push('cleared'), 10))
        const interval = setInterval(() => notes.push(performance.now() - start[1]), 15).unref()
        await timeline.runUntil(40)
        clearInterval(interval)
        await timeline.runUntil(100)
        return Math.random()
      },
    )
    await expect(run).resolves.toBe(0.25)
    expect(notes).toEqual([15, 30, ['timeout', 40]])
    expect([Date.now, Math.random, globalThis.setTimeout, globalThis.clearTimeout, performance.now]).toEqual(before)
    expect(Object.hasOwn(performance, 'now')).toBe(false)
  })

  it('are put back when the run fails', async () => {
    const { setTimeout } = globalThis
    const failing = withSimulatedGlobals(new Timeline(), Math.random, () => Promise.reject(new Error('a fault')))
    await expect(failing).rejects.toThrow('a fault')
    expect(globalThis.setTimeout).toBe(setTimeout)
  })
})
