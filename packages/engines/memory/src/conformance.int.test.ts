import { engineSuite, engineUnderTest, runSuite } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { expect, it } from 'vitest'
import { memory } from './engine.ts'
import { memoryStore } from './store.ts'

it('passes the engine suite on the machine’s clock', { timeout: 120_000 }, async () => {
  const report = await runSuite(
    engineSuite().filter(({ needs = [] }) => !needs.includes('network')),
    {
      create() {
        const store = memoryStore()
        return engineUnderTest({
          connect: () => memory({ store }),
          clock: systemClock,
          crash: async () => store.crash(),
        })
      },
    },
    { randomRuns: 5 },
  )
  expect(report.engine).toBe('memory')
  const notPassed = Object.entries(report.outcomes).filter(([, { status }]) => status !== 'passed')
  expect(notPassed).toEqual([])
})
