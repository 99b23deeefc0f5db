import { describe, expect, it } from 'vitest'
import { chaosOf, isWatched, withChaosRate } from './settings.ts'

describe('--chaos', () => {
  it.each([
    [['--chaos'], ['--chaos=0.1']],
    [
      ['--chaos', 'orders.csv'],
      ['--chaos=0.1', 'orders.csv'],
    ],
    [
      ['--chaos', '--watch'],
      ['--chaos=0.1', '--watch'],
    ],
    [
      ['a.csv', '--chaos', '0.3'],
      ['a.csv', '--chaos', '0.3'],
    ],
    [['--chaos=0.5'], ['--chaos=0.5']],
    [
      ['--data', 'x'],
      ['--data', 'x'],
    ],
  ])('%j means %j', (args, meant) => {
    expect(withChaosRate(args)).toEqual(meant)
  })

  it('is a share, with a seed or without', () => {
    expect(chaosOf({})).toBeUndefined()
    expect(chaosOf({ chaos: '0.25' })).toEqual({ rate: 0.25, seed: undefined })
    expect(chaosOf({ chaos: '1', 'chaos-seed': '7' })).toEqual({ rate: 1, seed: 7 })
  })

  it.each(['2', '-0.1', 'much', ''])("of '%s' is refused", (chaos) => {
    expect(() => chaosOf({ chaos })).toThrow('--chaos must be a share from 0 to 1')
  })

  it('has a seed that is a whole number', () => {
    expect(() => chaosOf({ chaos: '0.1', 'chaos-seed': 'x' })).toThrow('--chaos-seed must be a whole number')
  })

  it('is watched where told so', () => {
    expect(isWatched({ watch: true })).toBe(true)
    expect(isWatched({ watch: false })).toBe(false)
  })
})
