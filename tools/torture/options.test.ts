import { describe, expect, it } from 'vitest'
import { parseOptions } from './options.ts'

const parse = (...args: readonly string[]) => parseOptions(args, () => 42)

describe('the command line', () => {
  it('may be empty; the seed is then drawn', () => {
    expect(parse()).toEqual({ kills: 20, seed: 42, json: false, keep: false })
  })

  it('says how often, with which seed and how to report', () => {
    expect(parse('--kills', '100', '--seed', '7', '--json', '--keep')).toEqual({
      kills: 100,
      seed: 7,
      json: true,
      keep: true,
    })
  })

  it('is refused with every mistake at once', () => {
    expect(() => parse('--kills', 'many', '--seed', '1.5')).toThrow(/--kills .* 'many'; --seed .* '1.5'/)
  })

  it('has no other options', () => {
    expect(() => parse('--fast')).toThrow(/--fast/)
  })
})
