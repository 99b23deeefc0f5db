import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { distance, nearest } from './nearest.ts'

const word = fc.stringMatching(/^[a-d]{0,6}$/)

describe('the distance of two words', () => {
  it('is nothing for a word and itself alone, and the same in both directions', () => {
    fc.assert(
      fc.property(word, word, (one, other) => {
        expect(distance(one, other) === 0).toBe(one === other)
        expect(distance(one, other)).toBe(distance(other, one))
      }),
    )
  })

  it('is at least the difference in length, and at most the longer word', () => {
    fc.assert(
      fc.property(word, word, (one, other) => {
        expect(distance(one, other)).toBeGreaterThanOrEqual(Math.abs(one.length - other.length))
        expect(distance(one, other)).toBeLessThanOrEqual(Math.max(one.length, other.length))
      }),
    )
  })

  it('counts a swap of neighbours as one', () => {
    expect(distance('engnie', 'engine')).toBe(1)
  })
})

describe('the nearest word', () => {
  const words = ['publish', 'tail', 'channels', 'groups', 'lag']

  it.each([
    ['tial', 'tail'],
    ['publsh', 'publish'],
    ['chan', 'channels'],
    ['group', 'groups'],
  ])('%s was meant to be %s', (given, meant) => {
    expect(nearest(given, words)).toBe(meant)
  })

  it('is none where nothing is like it', () => {
    expect(nearest('restart', words)).toBeUndefined()
    expect(nearest('', words)).toBeUndefined()
  })
})
