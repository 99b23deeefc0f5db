import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { manualClock } from 'posthaste/testing'
import { SmallEngine, SmallStore } from '../src/engine.ts'

/** Installations of the small engine. Nothing of it survives a killed process, so there is no `crash`. */
export const harness: EngineHarness = {
  create() {
    const clock = manualClock()
    const store = new SmallStore()
    return engineUnderTest({ connect: () => new SmallEngine(store), clock, advance: (ms) => clock.advance(ms) })
  },
}
