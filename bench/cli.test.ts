import { describe, expect, it } from 'vitest'
import { parseCommand } from './cli.ts'

const parse = (...args: readonly string[]) => parseCommand(args, ['embedded'])

describe('the command line', () => {
  it('names a benchmark; the rest has defaults', () => {
    expect(parse('embedded')).toEqual({ bench: 'embedded', json: false, save: false, profile: false, rounds: 5 })
  })

  it('says how to measure and to report', () => {
    expect(parse('embedded', '--json', '--save', '--rounds', '7')).toMatchObject({ json: true, save: true, rounds: 7 })
  })

  it('is refused with every mistake at once', () => {
    expect(() => parse('other', '--rounds', '0')).toThrow(/name one benchmark of embedded; --rounds .* '0'/)
    expect(() => parse()).toThrow(/name one benchmark/)
    expect(() => parse('embedded', 'embedded')).toThrow(/name one benchmark/)
  })

  it('has no other options', () => {
    expect(() => parse('embedded', '--fast')).toThrow(/--fast/)
  })
})
