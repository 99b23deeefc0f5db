import { describe, expect, it } from 'vitest'
import { memoryHarness } from '../test/memory-harness.ts'
import type { Mutant } from './mutants/mutant.ts'
import { plainMutants } from './mutants/plain.ts'
import { type CaseOutcome, runCase } from './run.ts'
import { engineSuite } from './suite.ts'

/** How random programs go on an engine that is wrong. */
async function randomOutcome(mutant: Mutant): Promise<CaseOutcome['status']> {
  const testCase = engineSuite().find(({ id }) => id === 'random/operations')
  if (testCase === undefined) throw new Error('there are no random programs')
  // Nothing a mutant owes will ever come. And a fixed seed: what random programs meet must not change from run to run.
  const { status } = await runCase(testCase, memoryHarness(mutant.mutate), { seed: 7, randomRuns: 100, patienceMs: 40 })
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
