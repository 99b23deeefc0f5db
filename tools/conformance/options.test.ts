import { describe, expect, it } from 'vitest'
import { parseCommand } from './options.ts'

describe('parseCommand', () => {
  it('takes engines by name or path, and runs all of it by default', () => {
    expect(parseCommand(['--engine', 'memory', '--engine', './mine.ts'])).toEqual({
      engines: ['memory', './mine.ts'],
      json: false,
      mutants: true,
      only: undefined,
      seed: undefined,
      scale: undefined,
      parallel: undefined,
      writeDocs: false,
      verbose: false,
    })
  })

  it('takes everything that there is', () => {
    const args = '--engine memory --json --no-mutants --only G01,G12 --seed 7 --scale 0.5 --parallel 4 --verbose'.split(
      ' ',
    )
    expect(parseCommand(args)).toMatchObject({
      json: true,
      mutants: false,
      only: ['G01', 'G12'],
      seed: 7,
      scale: 0.5,
      parallel: 4,
      verbose: true,
    })
  })

  it('takes --mutants, which is the default', () => {
    expect(parseCommand(['--engine', 'memory', '--mutants']).mutants).toBe(true)
  })

  it('takes a seed as the kit tells it, negative or not', () => {
    expect(parseCommand(['--engine', 'memory', '--seed=-343376368']).seed).toBe(-343_376_368)
  })

  it('names every mistake', () => {
    const mistakes = ['--only', 'first', '--seed', '1.5', '--scale', '0', '--parallel', '0']
    expect(() => parseCommand(mistakes)).toThrow(
      /--engine is needed.*--only.*--seed.*--parallel.*--scale.*\nnpm run conformance/s,
    )
  })

  it('writes no docs from a part of a run', () => {
    for (const part of [['--only', 'G01'], ['--no-mutants'], ['--scale', '0.1']])
      expect(() => parseCommand(['--engine', 'memory', '--write-docs', ...part])).toThrow(/--write-docs/)
  })

  it('writes the docs from the runs that are kept when no engine is named', () => {
    expect(parseCommand(['--write-docs'])).toMatchObject({ engines: [], writeDocs: true })
  })

  it('refuses what it does not know', () => {
    expect(() => parseCommand(['--engine', 'memory', '--fast'])).toThrow(/--fast/)
  })
})
