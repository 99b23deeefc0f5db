import { describe, expect, it } from 'vitest'
import { parseCommand } from './cli.ts'

const names = { benches: ['embedded', 'engines'], engines: { engines: ['nats', 'redis'] } }
const parse = (...args: readonly string[]) => parseCommand(args, names)

describe('the command line', () => {
  it('names a benchmark; the rest has defaults', () => {
    const defaults = { json: false, save: false, profile: false, rounds: 5, engine: undefined }
    expect(parse('embedded')).toEqual({ bench: 'embedded', ...defaults })
  })

  it('says how to measure and to report', () => {
    expect(parse('embedded', '--json', '--save', '--rounds', '7')).toMatchObject({ json: true, save: true, rounds: 7 })
  })

  it('limits to one engine what runs on several', () => {
    expect(parse('engines', '--engine', 'nats')).toMatchObject({ bench: 'engines', engine: 'nats' })
    expect(() => parse('engines', '--engine', 'other')).toThrow('--engine must be one of nats, redis')
    expect(() => parse('embedded', '--engine', 'nats')).toThrow('embedded takes no --engine')
  })

  it('is refused with every mistake at once', () => {
    expect(() => parse('other', '--rounds', '0')).toThrow(/name one benchmark of embedded, engines; --rounds .* '0'/)
    expect(() => parse()).toThrow(/name one benchmark/)
    expect(() => parse('embedded', 'embedded')).toThrow(/name one benchmark/)
  })

  it('has no other options', () => {
    expect(() => parse('embedded', '--fast')).toThrow(/--fast/)
  })
})
