import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { memory } from '../src/engine.ts'
import { memoryStore } from '../src/store.ts'

/** Time is a manual clock's, or the machine's; the state outlives its engines, and a crash is the store's. */
export const harness: EngineHarness = {
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
  createOnMachineTime() {
    const store = memoryStore()
    return engineUnderTest({ connect: () => memory({ store }), clock: systemClock, crash: async () => store.crash() })
  },
}
