import fc from 'fast-check'
import type { ConformanceCase } from '../case.ts'
import { programs } from '../model/operations.ts'
import { runProgram } from '../model/run.ts'
import { realMs } from '../pacing.ts'

const operationsMax = 60

/** A program that fails by waiting is repeated many times while a smaller one is looked for. */
const patienceMs = { virtual: 3_000, machine: Number.POSITIVE_INFINITY } as const

/** After this no further program is begun, in real time; one that runs is run to its end, so that it leaves nothing behind. */
const timeLimitMs = 60_000

/** Whatever happens in whatever order: an engine never does what the model forbids, and pays what it owes. */
export const random: readonly ConformanceCase[] = [
  {
    id: 'random/operations',
    title: 'random programs of publishing, consuming, retrying, restarting and crashing agree with a naive model',
    async run(context) {
      const { elsewhere, settings, underTest } = context
      const { randomRuns: numRuns, seed } = settings
      const time = underTest.advance === undefined ? 'machine' : 'virtual'
      const change = { patienceMs: Math.min(settings.patienceMs, patienceMs[time]) }
      const endMs = realMs() + timeLimitMs
      // Each program has an installation of its own, so that a counterexample says everything.
      const property = fc.asyncProperty(programs(operationsMax), async (program) => {
        if (realMs() > endMs) return
        context.count('programs')
        await elsewhere((other) => runProgram(program, other), change)
      })
      await fc.assert(property, { numRuns, includeErrorInReport: true, ...(seed === undefined ? {} : { seed }) })
    },
  },
]
