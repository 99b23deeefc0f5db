import { type EngineHarness, engineSuite, engineUnderTest, isMet } from '@posthaste/conformance'
import { describeEngine } from '@posthaste/conformance/vitest'
import { manualClock } from 'posthaste/testing'
import { expect, it } from 'vitest'
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

describeEngine('memory', harness, { randomRuns: 100 })

it('meets what every case of the suite needs but those about a network, so that none is skipped', async () => {
  const underTest = await harness.create()
  const own = engineSuite().filter(({ needs = [] }) => !needs.includes('network'))
  const skipped = own.filter(({ needs = [] }) => !needs.every((need) => isMet(need, underTest)))
  expect(skipped.map(({ id }) => id)).toEqual([])
})
