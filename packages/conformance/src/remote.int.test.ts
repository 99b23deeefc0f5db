import { describe, expect, it } from 'vitest'
import { harness } from '../test/remote-harness.ts'
import { runConformance } from './conformance.ts'

describe('the cases', () => {
  it('count on no answer within a turn: a sound engine behind a network passes all of them', {
    timeout: 300_000,
  }, async () => {
    const { guarantees } = await runConformance(harness, { mutants: false, randomRuns: 5 })
    const failures = guarantees.flatMap((each) => each.failures.map((failure) => `${failure.case}: ${failure.error}`))
    expect(failures).toEqual([])
    expect(guarantees.filter(({ passed }) => !passed)).toEqual([])
  })
})
