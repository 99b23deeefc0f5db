import { describe, expect, it } from 'vitest'
import { networkedEngines } from './engines.ts'
import { parseCommand } from './options.ts'

const seed = () => 4

describe('parseCommand', () => {
  it('has each kind of fault happen once by default, with a seed of its own', () => {
    expect(parseCommand(['--engine', 'redis'], seed)).toEqual({
      ...{ engines: ['redis'], seed: 4, rounds: 9, json: false, writeDocs: false, verbose: false },
    })
  })

  it('takes all engines, each once, and everything else there is', () => {
    const args = '--engine all --engine nats --seed 7 --rounds 40 --json --write-docs --verbose'.split(' ')
    expect(parseCommand(args, seed)).toEqual({
      ...{ engines: networkedEngines, seed: 7, rounds: 40, json: true, writeDocs: true, verbose: true },
    })
  })

  it('names every mistake', () => {
    const mistakes = ['--engine', 'memory', '--rounds', '0', '--seed', 'x']
    expect(() => parseCommand(mistakes, seed)).toThrow(/memory has no server.*--rounds.*--seed.*npm run faults/s)
    expect(() => parseCommand([], seed)).toThrow(/--engine is needed/)
  })
})
