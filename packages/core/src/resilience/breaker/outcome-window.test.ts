import { describe, expect, it } from 'vitest'
import { outcomeWindow } from './outcome-window.ts'

const figures = (window: ReturnType<typeof outcomeWindow>, nowMs: number) => [
  window.calls(nowMs),
  window.failures(nowMs),
  window.slow(nowMs),
]

describe.each([
  ['time', { windowMs: 1_000, windowCalls: undefined }],
  ['calls', { windowMs: undefined, windowCalls: 10 }],
])('a window of outcomes, of %s', (_, size) => {
  it('counts calls, and of these the failed and the slow ones', () => {
    const window = outcomeWindow(size)
    for (const outcome of ['success', 'failure', 'slowSuccess', 'slowFailure'] as const) window.add(outcome, 50)
    expect(figures(window, 60)).toEqual([4, 2, 2])
  })

  it('takes over successes from before', () => {
    const window = outcomeWindow(size)
    window.addSuccesses(3, 50)
    window.add('failure', 150)
    expect(figures(window, 160)).toEqual([4, 1, 0])
  })
})

describe('a window of outcomes', () => {
  it('of time forgets by time, failures and successes alike', () => {
    const window = outcomeWindow({ windowMs: 1_000, windowCalls: undefined })
    window.addSuccesses(3, 50)
    window.add('failure', 150)
    expect(figures(window, 1_050)).toEqual([1, 1, 0])
    expect(figures(window, 1_150)).toEqual([0, 0, 0])
  })

  it('of calls forgets by calls', () => {
    const window = outcomeWindow({ windowMs: undefined, windowCalls: 2 })
    for (const outcome of ['failure', 'success', 'success'] as const) window.add(outcome, 0)
    expect(figures(window, 1_000_000)).toEqual([2, 0, 0])
  })
})
