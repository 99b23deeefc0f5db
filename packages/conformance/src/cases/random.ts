import fc from 'fast-check'
import type { ConformanceCase } from '../case.ts'
import { CaseContext } from '../context.ts'
import { programs } from '../model/operations.ts'
import { runProgram } from '../model/run.ts'

const operationsMax = 60

/** Whatever happens in whatever order: an engine never does what the model forbids, and pays what it owes. */
export const random: readonly ConformanceCase[] = [
  {
    id: 'random/operations',
    title: 'random programs of publishing, consuming, retrying, restarting and crashing agree with a naive model',
    async run({ underTest, settings }) {
      const { randomRuns: numRuns, seed } = settings
      // A program that fails by waiting is repeated while a smaller one is looked for.
      const patience = { ...settings, patienceMs: Math.min(settings.patienceMs, 3_000) }
      const property = fc.asyncProperty(programs(operationsMax), (program) =>
        runProgram(program, new CaseContext(underTest, patience)),
      )
      await fc.assert(property, { numRuns, ...(seed === undefined ? {} : { seed }), interruptAfterTimeLimit: 60_000 })
    },
  },
]
