import { describe, it } from 'vitest'
import type { EngineHarness } from './harness.ts'
import { runCase, type SuiteOptions } from './run.ts'
import { engineSuite } from './suite.ts'

/** Time that vitest gives a case, in milliseconds; each wait inside of it ends long before. */
const caseTimeoutMs = 120_000

/**
 * The engine suite as vitest tests, one per case. A case that the engine does not declare what it needs for is skipped
 * with the reason.
 */
export function describeEngine(name: string, harness: EngineHarness, options: SuiteOptions = {}): void {
  describe(`engine: ${name}`, () => {
    for (const testCase of engineSuite()) {
      it(`${testCase.title} [${testCase.id}]`, { timeout: caseTimeoutMs }, async ({ skip }) => {
        const outcome = await runCase(testCase, harness, options)
        if (outcome.status === 'skipped') skip(outcome.reason)
        if (outcome.status === 'failed') throw outcome.error
      })
    }
  })
}
