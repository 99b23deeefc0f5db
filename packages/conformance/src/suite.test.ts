import type { Engine } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { type EngineHarness, engineUnderTest } from './harness.ts'
import type { Mutant } from './mutants/mutant.ts'
import { mutants } from './mutants/mutants.ts'
import { type CaseOutcome, runCase } from './run.ts'
import { engineSuite } from './suite.ts'

function harness(mutate: (engine: Engine) => Engine = (sound) => sound): EngineHarness {
  return {
    create() {
      const clock = manualClock()
      const store = memoryStore()
      return engineUnderTest({
        connect: () => mutate(memory({ store })),
        clock,
        advance: (ms) => clock.advance(ms),
        crash: async () => store.crash(),
      })
    },
  }
}

/** How a case goes on an engine that is sound, or on a mutant. */
async function outcomeOf(id: string, mutant?: Mutant): Promise<CaseOutcome['status']> {
  const testCase = engineSuite().find((each) => each.id === id)
  if (testCase === undefined) throw new Error(`there is no case ${id}`)
  // Nothing a mutant owes will ever come. And a fixed seed: what random programs meet must not change from run to run.
  const patience = mutant === undefined ? {} : { patienceMs: 40 }
  const { status } = await runCase(testCase, harness(mutant?.mutate), { seed: 7, randomRuns: 100, ...patience })
  return status
}

describe('engineSuite', () => {
  it('has cases with ids of their own', () => {
    const ids = engineSuite().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => !/^[a-z]+\/[a-z-]+$/.test(id))).toEqual([])
  })

  it.each(mutants)('finds an engine that $fault, by the case that is about it', async (mutant) => {
    expect(await outcomeOf(mutant.foundBy)).toBe('passed')
    expect(await outcomeOf(mutant.foundBy, mutant)).toBe('failed')
  })

  it.each(mutants)('finds an engine that $fault, by random programs', { timeout: 30_000 }, async (mutant) => {
    expect(await outcomeOf('random/operations', mutant)).toBe('failed')
  })
})
