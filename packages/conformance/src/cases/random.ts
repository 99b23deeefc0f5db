import fc from 'fast-check'
import type { ConformanceCase } from '../case.ts'
import { programs } from '../model/operations.ts'
import { runProgram } from '../model/run.ts'

const operationsMax = 60

/** A program that fails by waiting is repeated many times while a smaller one is looked for. */
const patienceMs = 3_000

/** Whatever happens in whatever order: an engine never does what the model forbids, and pays what it owes. */
export const random: readonly ConformanceCase[] = [
  {
    id: 'random/operations',
    title: 'random programs of publishing, consuming, retrying, restarting and crashing agree with a naive model',
    async run({ elsewhere, settings }) {
      const { randomRuns: numRuns, seed } = settings
      const change = { patienceMs: Math.min(settings.patienceMs, patienceMs) }
      // Each program has an installation of its own, so that a counterexample says everything.
      const property = fc.asyncProperty(programs(operationsMax), (program) =>
        elsewhere((context) => runProgram(program, context), change),
      )
      await fc.assert(property, { numRuns, ...(seed === undefined ? {} : { seed }), interruptAfterTimeLimit: 60_000 })
    },
  },
]
