import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../testing/manual-clock.ts'
import { retryBudget } from './retry-budget.ts'

function withdrawAll(budget: { withdraw(): boolean }): number {
  let taken = 0
  while (budget.withdraw()) taken++
  return taken
}

describe('a retry budget', () => {
  it('has its reserve before any call: one a second for ten seconds', () => {
    const budget = retryBudget({}, manualClock())
    expect(budget.balance()).toBe(10)
    expect(withdrawAll(budget)).toBe(10)
    expect(budget.balance()).toBe(0)
  })

  it('earns a fifth of a retry with each call', () => {
    const budget = retryBudget({ perSecond: 0 }, manualClock())
    for (let i = 0; i < 1_000; i++) budget.deposit()
    expect(withdrawAll(budget)).toBe(200)
  })

  it('allows no retry where there is neither reserve nor ratio', () => {
    const budget = retryBudget({ perSecond: 0, ratio: 0 }, manualClock())
    budget.deposit()
    expect(budget.withdraw()).toBe(false)
  })

  it('forgets what was earned and what was spent when the window has passed', async () => {
    const clock = manualClock()
    const budget = retryBudget({ perSecond: 1 }, clock)
    for (let i = 0; i < 1_000; i++) budget.deposit()
    expect(withdrawAll(budget)).toBe(210)
    await clock.advance(10_000)
    expect(withdrawAll(budget)).toBe(10)
  })

  it('never allows more retries in a window than a fifth of its calls and the reserve', async () => {
    const step = fc.record({ calls: fc.nat(40), retries: fc.nat(40), afterMs: fc.nat(4_000) })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const clock = manualClock()
        const budget = retryBudget({ perSecond: 2 }, clock)
        const log: { readonly bucket: number; readonly calls: number; readonly retries: number }[] = []
        for (const { calls, retries, afterMs } of steps) {
          await clock.advance(afterMs)
          const bucket = Math.floor(clock.monotonicMs() / 1_000)
          for (let i = 0; i < calls; i++) budget.deposit()
          let allowed = 0
          for (let i = 0; i < retries; i++) if (budget.withdraw()) allowed++
          log.push({ bucket, calls, retries: allowed })
          const recent = log.filter((one) => one.bucket > bucket - 10)
          const sum = (of: 'calls' | 'retries'): number => recent.reduce((total, one) => total + one[of], 0)
          const bound = 0.2 * sum('calls') + 20
          if (allowed > 0) expect(sum('retries')).toBeLessThanOrEqual(bound + 1e-9)
          // Refused only when there was not one whole retry left.
          if (allowed < retries) expect(bound - sum('retries')).toBeLessThan(1)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('refuses wrong options, all at once', () => {
    expect(() => retryBudget({ ratio: -1, perSecond: Number.NaN, windowMs: 1 }, manualClock())).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [expect.anything(), expect.anything(), expect.anything()],
      }),
    )
  })
})
