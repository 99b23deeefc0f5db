import { describe, expect, it } from 'vitest'
import { Waiting } from './waiting.ts'

describe('what waits for its time', () => {
  it('is counted until it has left the ladder, which is at most a step after it is due', () => {
    const waiting = new Waiting()
    waiting.add('c', undefined, 10_150)
    expect(waiting.count('c', 'g', 10_166)).toBe(1)
    expect(waiting.count('c', 'g', 10_182)).toBe(0)
  })

  it('is counted for the groups that it is for', () => {
    const waiting = new Waiting()
    for (const group of [undefined, 'g', 'g', 'other']) waiting.add('c', group, 5_000)
    waiting.add('d', 'g', 5_000)
    expect(waiting.count('c', 'g', 0)).toBe(3)
    expect(waiting.count('c', 'other', 0)).toBe(2)
  })
})
