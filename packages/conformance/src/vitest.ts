import { describe, it } from 'vitest'
import { busSuite } from './bus-suite.ts'
import type { ConformanceCase } from './case.ts'
import type { EngineHarness } from './harness.ts'
import { runCase, type SuiteOptions } from './run.ts'
import { engineSuite } from './suite.ts'

/** Time that vitest gives a case, in milliseconds; each wait inside of it ends long before. */
const caseTimeoutMs = 120_000

/**
 * Every case as a vitest test: what the engine itself must do, and what an application is promised on it. A case that the
 * engine does not declare what it needs for is skipped with the reason. Guarantees, refusals and mutants are shown by
 * `runConformance`.
 */
export function describeEngine(name: string, harness: EngineHarness, options: SuiteOptions = {}): void {
  const describeCases = (cases: readonly ConformanceCase[]) => {
    for (const testCase of cases) {
      it(`${testCase.title} [${testCase.id}]`, { timeout: caseTimeoutMs }, async ({ skip }) => {
        const outcome = await runCase(testCase, harness, options)
        if (outcome.status === 'skipped') skip(outcome.reason)
        if (outcome.status === 'failed') throw outcome.error
      })
    }
  }
  describe(`engine: ${name}`, () => describeCases(engineSuite()))
  describe(`bus on ${name}`, () => describeCases(busSuite()))
}
