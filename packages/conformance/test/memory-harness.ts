import type { Engine } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { systemClock } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { type EngineHarness, engineUnderTest } from '../src/harness.ts'

/** Installations of the memory engine, for tests of the kit itself; `change` makes another engine of it. */
export function memoryHarness(change: (engine: Engine) => Engine = (engine) => engine): EngineHarness {
  return {
    create() {
      const [clock, store] = [manualClock(), memoryStore()]
      const connect = () => change(memory({ store }))
      return engineUnderTest({ connect, clock, advance: (ms) => clock.advance(ms), crash: async () => store.crash() })
    },
    createOnMachineTime() {
      const store = memoryStore()
      return engineUnderTest({ connect: () => change(memory({ store })), clock: systemClock })
    },
  }
}
