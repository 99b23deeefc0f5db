import { describe, expect, it } from 'vitest'
import { systemClock, systemRandom } from './clock.ts'

describe('the system clock', () => {
  it('never fires a timer early', async () => {
    const delays = Array.from({ length: 40 }, (_, i) => i * 0.7)
    const early = await Promise.all(
      delays.map(
        (delayMs) =>
          new Promise<boolean>((resolve) => {
            const startMs = systemClock.monotonicMs()
            const handle = setInterval(() => {}, 1_000)
            systemClock.setTimer(delayMs, () => {
              clearInterval(handle)
              resolve(systemClock.monotonicMs() - startMs < delayMs)
            })
          }),
      ),
    )
    expect(early).not.toContain(true)
  })

  it('does not fire a timer that was cancelled, nor one that is months away', async () => {
    const warnings: Error[] = []
    const listener = (warning: Error): void => void warnings.push(warning)
    process.on('warning', listener)
    let fired = 0
    systemClock.setTimer(5, () => fired++).cancel()
    const distant = systemClock.setTimer(90 * 86_400_000, () => fired++)
    await new Promise((resolve) => setTimeout(resolve, 30))
    distant.cancel()
    process.off('warning', listener)
    expect(fired).toBe(0)
    // Node warns of a delay that it does not take and makes it 1 ms.
    expect(warnings).toEqual([])
  })

  it('tells the time of the day and a time that does not go back', () => {
    expect(Math.abs(systemClock.nowMs() - Date.now())).toBeLessThan(60_000)
    const before = systemClock.monotonicMs()
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before)
  })

  it('draws random numbers below 1', () => {
    const drawn = Array.from({ length: 100 }, systemRandom)
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...drawn)).toBeLessThan(1)
    expect(new Set(drawn).size).toBeGreaterThan(1)
  })
})
