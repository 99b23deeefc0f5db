import { memory, memoryStore } from '@posthaste/memory'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { busSuite } from './bus-suite.ts'
import { type EngineHarness, engineUnderTest } from './harness.ts'
import { runCase } from './run.ts'

const harness: EngineHarness = {
  create() {
    const clock = manualClock()
    const store = memoryStore()
    return engineUnderTest({
      connect: () => memory({ store }),
      clock,
      advance: (ms) => clock.advance(ms),
      crash: async () => store.crash(),
    })
  },
}

describe('busSuite', () => {
  it.each(busSuite())('passes on a sound engine: $title', async (testCase) => {
    const outcome = await runCase(testCase, harness, { patienceMs: 4_000 })
    if (outcome.status === 'failed') throw outcome.error
    expect(outcome.status).toBe('passed')
  })
})
