import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

/** Workspace packages run from their TypeScript sources: `source` leads every exports entry. */
const conditions = ['source', 'module', 'node', 'development|production']
const exclude = ['**/node_modules/**', '**/dist/**', '**/.cache/**']

export default defineConfig({
  ssr: { resolve: { conditions, externalConditions: ['source', 'node'] } },
  test: {
    passWithNoTests: true,
    // Integration tests mostly wait, for servers and other processes: more at once than there are processors.
    maxWorkers: Math.max(4, availableParallelism()),
    reporters: ['default', './tools/counts/reporter.ts'],
    execArgv: ['--conditions=source'],
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['{packages,examples,bench,tools}/**/*.test.ts'],
          exclude: [...exclude, '**/*.int.test.ts'],
          // A hung test is found; a busy machine, where everything takes ten times as long, fails none.
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['{packages,examples,bench,tools}/**/*.int.test.ts'],
          exclude,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
