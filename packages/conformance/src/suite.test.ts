import type { Engine } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { type EngineHarness, engineUnderTest } from './harness.ts'
import type { Mutant } from './mutants/mutant.ts'
import { plainMutants } from './mutants/plain.ts'
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

/** How random programs go on an engine that is wrong. */
async function randomOutcome(mutant: Mutant): Promise<CaseOutcome['status']> {
  const testCase = engineSuite().find(({ id }) => id === 'random/operations')
  if (testCase === undefined) throw new Error('there are no random programs')
  // Nothing a mutant owes will ever come. And a fixed seed: what random programs meet must not change from run to run.
  const { status } = await runCase(testCase, harness(mutant.mutate), { seed: 7, randomRuns: 100, patienceMs: 40 })
  return status
}

describe('engineSuite', () => {
  it('has cases with ids of their own', () => {
    const ids = engineSuite().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids.filter((id) => !/^[a-z]+\/[a-z-]+$/.test(id))).toEqual([])
  })

  it.each(plainMutants)('finds an engine that $fault, by random programs', { timeout: 30_000 }, async (mutant) => {
    expect(await randomOutcome(mutant)).toBe('failed')
  })
})
