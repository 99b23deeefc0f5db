import type { Reporter, TestModule } from 'vitest/node'

/** Closes a test run with one plain line of counts, so that a log can be read by eye and by program. */
// tidy-allow default-export: vitest loads a reporter by its default export
export default class CountsReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const counts = { passed: 0, failed: 0, skipped: 0 }
    let failedModules = 0
    for (const module of modules) {
      const before = counts.failed
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        counts[state === 'pending' ? 'skipped' : state] += 1
      }
      if (module.state() === 'failed' && counts.failed === before) failedModules += 1
    }
    const failed = counts.failed + failedModules + unhandledErrors.length
    console.log(`\n${counts.passed} passed, ${failed} failed, ${counts.skipped} skipped`)
  }
}
