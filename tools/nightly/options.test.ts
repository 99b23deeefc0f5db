import { describe, expect, it } from 'vitest'
import { parseOptions, usage } from './options.ts'

const parse = (...args: string[]) => parseOptions(args, { names: ['breaker', 'memory'], randomSeed: () => 42 })

describe('the options of the nightly run', () => {
  it('have defaults: a million steps from a random seed', () => {
    expect(parse()).toEqual({ steps: 1_000_000, seed: 42, only: undefined, json: false })
  })

  it('are read', () => {
    const args = ['--steps', '5', '--seed', '0', '--only', 'memory', '--json']
    expect(parse(...args)).toEqual({ steps: 5, seed: 0, only: 'memory', json: true })
  })

  it('are refused all at once when they are wrong', () => {
    const refused = () => parse('--steps', '0', '--seed', '99999999999', '--only', 'nothing')
    expect(refused).toThrow(/--steps .*--seed .*--only must be one of breaker, memory/)
    expect(refused).toThrow(usage)
  })
})
