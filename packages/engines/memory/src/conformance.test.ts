import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { describeEngine } from '@posthaste/conformance/vitest'
import { manualClock } from 'posthaste/testing'
import { memory } from './engine.ts'
import { memoryStore } from './store.ts'

/** Time is a manual clock's, the state outlives its engines, and a crash is the store's. */
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

describeEngine('memory', harness)
