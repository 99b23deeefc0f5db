import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { describeEngine } from '@posthaste/conformance/vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { complete } from './complete.ts'

/** The kit on an engine that has nothing but key ranges and notes. */
const harnessOf = (attempts: 'none' | 'hand-overs'): EngineHarness => ({
  create() {
    const clock = manualClock()
    const broker = new PartitionedBroker({ clock, attempts })
    return engineUnderTest({
      connect: () => complete(broker.connect()),
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

describeEngine('key ranges, no attempts', harnessOf('none'))
describeEngine('key ranges, attempts that count hand-overs', harnessOf('hand-overs'))
