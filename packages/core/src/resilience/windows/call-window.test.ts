import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CallWindow } from './call-window.ts'

describe('a window of calls', () => {
  it('knows no more calls than its size', () => {
    const window = new CallWindow(3)
    for (let i = 0; i < 5; i++) window.add(0)
    expect(window.calls).toBe(3)
  })

  it('forgets the call that leaves, with its marks', () => {
    const window = new CallWindow(2)
    window.add(3)
    expect([window.marked(1), window.marked(2)]).toEqual([1, 1])
    window.add(1)
    window.add(0)
    expect([window.marked(1), window.marked(2)]).toEqual([1, 0])
    window.add(0)
    expect([window.calls, window.marked(1)]).toEqual([2, 0])
  })

  it('counts what the end of a list of all calls counts', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(3)), fc.integer({ min: 1, max: 20 }), (all, size) => {
        const window = new CallWindow(size)
        for (const [at, marks] of all.entries()) {
          window.add(marks)
          const last = all.slice(Math.max(at + 1 - size, 0), at + 1)
          expect(window.calls).toBe(last.length)
          expect(window.marked(1)).toBe(last.filter((one) => (one & 1) !== 0).length)
          expect(window.marked(2)).toBe(last.filter((one) => (one & 2) !== 0).length)
        }
      }),
    )
  })
})
