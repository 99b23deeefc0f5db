import { busSuite, type EngineHarness, engineSuite, engineUnderTest, runCase } from '@posthaste/conformance'
import { describe, expect, it } from 'vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { manualClock } from '../../testing/manual-clock.ts'

/** The kit on an engine that has nothing but key ranges and notes. */
const harnessOf = (attempts: 'none' | 'hand-overs'): EngineHarness => ({
  create() {
    const clock = manualClock()
    const broker = new PartitionedBroker({ clock, attempts })
    return engineUnderTest({
      connect: () => broker.connect(),
      clock,
      advance: (ms) => clock.advance(ms),
      crash: async () => {
        broker.crash()
        // What is stored from now on is younger than whoever reads it next.
        await clock.advance(1)
      },
    })
  },
})

/** What an engine cannot keep that reads everything in ranges, each with one reader, also what has no key. */
const otherwise = new Map([
  ['credit/slow-member', 'a range waits for its reader'],
  ['bus-flow/slow-consumer', 'a range waits for its reader'],
])

const unordered = 'what stands in several ranges is handed over in no order'

/** What cannot be kept where the server counts: the kit takes what has no key for delivered without a range there. */
const counted = new Map([
  ['random/operations', 'attempts are known by an upper bound, which the model does not allow for'],
  ...['seek/position', 'seek/restart', 'seek/crash', 'seek/backlog', 'bus-seek/replay', 'bus-dead/survives'].map(
    (id) => [id, unordered] as const,
  ),
])

/** Longer than the kit looks for a smaller program once one has failed: otherwise nobody would see which. */
const patienceMs = 90_000

/** The same programs each time: a unit test must not find something new on the day of a release. */
const seed = 1

describe.each(['none', 'hand-overs'] as const)('a completed engine with key ranges, attempts: %s', (attempts) => {
  const harness = harnessOf(attempts)
  for (const testCase of [...engineSuite(), ...busSuite()]) {
    it(
      `${testCase.title} [${testCase.id}]`,
      async ({ skip }) => {
        const reason = otherwise.get(testCase.id) ?? (attempts === 'hand-overs' ? counted.get(testCase.id) : undefined)
        if (reason !== undefined) skip(reason)
        const outcome = await runCase(testCase, harness, { seed })
        if (outcome.status === 'skipped') skip(outcome.reason)
        expect(outcome.status === 'failed' ? outcome.error : undefined).toBe(undefined)
      },
      patienceMs,
    )
  }
})
