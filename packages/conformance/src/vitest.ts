import { describe, it } from 'vitest'
import { busSuite } from './bus-suite.ts'
import type { ConformanceCase } from './case.ts'
import type { EngineHarness } from './harness.ts'
import { runCase, type SuiteOptions } from './run.ts'
import { runningServer } from './server/running-server.ts'
import { engineSuite } from './suite.ts'

/** Time that vitest gives a case, in milliseconds; each wait inside of it ends long before. */
const caseTimeoutMs = 120_000

/** How an engine is shown in vitest. */
export interface DescribeOptions extends SuiteOptions {
  /** The server that the harness needs, by its name; without one that is up, everything is skipped. */
  readonly server?: string | undefined
}

/**
 * Every case as a vitest test: what the engine itself must do, and what an application is promised on it. A case that the
 * engine does not declare what it needs for is skipped with the reason. Guarantees, refusals and mutants are shown by
 * `runConformance`. Where the harness allows several installations at a time, cases are run side by side.
 */
export function describeEngine(name: string, harness: EngineHarness, options: DescribeOptions = {}): void {
  const { server, ...settings } = options
  if (server !== undefined && runningServer(server) === undefined) {
    const remedy = `no server is up, start one with: npm run engines -- up ${server}`
    describe(`engine: ${name}`, () => it('is left out', ({ skip }) => skip(remedy)))
    return
  }
  const test = (harness.parallel ?? 1) > 1 ? it.concurrent : it
  const describeCases = (cases: readonly ConformanceCase[]) => {
    for (const testCase of cases) {
      const run = testCase.onMachineTime ? it : test
      run(`${testCase.title} [${testCase.id}]`, { timeout: caseTimeoutMs }, async ({ skip }) => {
        const outcome = await runCase(testCase, harness, settings)
        if (outcome.status === 'skipped') skip(outcome.reason)
        if (outcome.status === 'failed') throw outcome.error
      })
    }
  }
  describe(`engine: ${name}`, () => describeCases(engineSuite()))
  describe(`bus on ${name}`, () => describeCases(busSuite()))
}
