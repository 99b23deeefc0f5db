import process from 'node:process'
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

/** Why the cases on a server are not shown; undefined where they are. */
function whyLeftOut(server: string): string | undefined {
  // A run of everything has shown them before, with the mutants.
  if (process.env.POSTHASTE_KIT_SHOWN === 'true') return 'shown by npm run conformance before'
  if (runningServer(server) !== undefined) return undefined
  return `no server is up, start one with: npm run engines -- up ${server}`
}

/**
 * Every case as a vitest test: what the engine itself must do, and what an application is promised on it. A case that the
 * engine does not declare what it needs for is skipped with the reason. Guarantees, refusals and mutants are shown by
 * `runConformance`. Where the harness allows several installations at a time, cases are run side by side.
 */
export function describeEngine(name: string, harness: EngineHarness, options: DescribeOptions = {}): void {
  const { server, ...settings } = options
  const reason = server === undefined ? undefined : whyLeftOut(server)
  if (reason !== undefined) {
    describe(`engine: ${name}`, () => it('is left out', ({ skip }) => skip(reason)))
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
