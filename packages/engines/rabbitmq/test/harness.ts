import { type EngineHarness, networkedEngineUnderTest, requiredServer } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { rabbitmq } from '../src/engine.ts'
import { Declared, freshPrefix } from './installation.ts'

const keyRanges = 3

/** Installations on the running server, each under a prefix of its own. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { scale: 0.3, patienceMs: 20_000, randomRuns: 6 },
  async create() {
    const { url } = requiredServer('rabbitmq')
    const prefix = freshPrefix()
    const declared = new Declared()
    const times = { timeoutMs: 10_000, rebalanceMs: 500, heartbeatMs: 5_000 }
    return networkedEngineUnderTest({
      url,
      clock: systemClock,
      connect: (proxied) => declared.by(rabbitmq({ url: proxied, prefix, keyRanges, ...times })),
      cleanup: () => declared.remove({ url, prefix, keyRanges }),
    })
  },
}
