import { describe, expect, it } from 'vitest'
import { memoryHarness } from '../test/memory-harness.ts'
import { busSuite } from './bus-suite.ts'
import { runCase } from './run.ts'

describe('busSuite', () => {
  it.each(busSuite())('passes on a sound engine: $title', async (testCase) => {
    const outcome = await runCase(testCase, memoryHarness(), { patienceMs: 4_000 })
    if (outcome.status === 'failed') throw outcome.error
    expect(outcome.status).toBe('passed')
  })
})
