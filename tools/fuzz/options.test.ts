import { describe, expect, it } from 'vitest'
import { parseOptions } from './options.ts'

const parse = (...args: string[]) => parseOptions(args, () => 77)

describe('the options of fuzzing', () => {
  it('are ten million inputs of a random seed where nothing is said', () => {
    expect(parse()).toEqual({ inputs: 10_000_000, from: 0, seed: 77, json: false })
  })

  it('repeat one input', () => {
    expect(parse('--seed', '5', '--from', '123', '--inputs', '1', '--json')).toEqual({
      inputs: 1,
      from: 123,
      seed: 5,
      json: true,
    })
  })

  it('name all mistakes', () => {
    expect(() => parse('--inputs', '0', '--from', 'x', '--seed', '1e1')).toThrow(
      /--inputs must.*; --from must.*; --seed must.*\nnpm run fuzz/,
    )
  })

  it('are those and no others', () => {
    expect(() => parse('--speed', '1')).toThrow(/--speed/)
  })
})
