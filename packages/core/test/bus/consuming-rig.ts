import type { Engine } from '@posthaste/contracts'
import { Bodies } from '../../src/bus/bodies/bodies.ts'
import { BusSubscribing } from '../../src/bus/consuming/subscribing.ts'
import { recordComposer } from '../../src/bus/publishing/record.ts'
import { Standing } from '../../src/bus/standing.ts'
import { Channels } from '../../src/bus/topology.ts'
import { timerWheel } from '../../src/pipeline/timer-wheel.ts'
import type { ManualClock } from '../../src/testing/manual-clock.ts'
import { recordingLog } from '../../src/testing/recording-log.ts'
import { half } from './rig.ts'

/** The consuming half of a bus by itself, for what the bus does with it that its users cannot. */
export function consumingHalf(engine: Engine, clock: ManualClock) {
  const log = recordingLog()
  const timers = timerWheel(clock, log)
  const bodies = new Bodies({ timers })
  const composer = recordComposer({ source: '/shop', clock, newId: () => 'id', engine, claims: bodies.claims })
  const subscribing = new BusSubscribing({
    engine,
    channels: new Channels(engine),
    composer,
    bodies,
    standing: new Standing(),
    instance: 'shop-1',
    deps: { clock, log, random: half, timers, target: 'shop' },
  })
  return { subscribing, log }
}
