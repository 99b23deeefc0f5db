import { type EngineHarness, networkedEngineUnderTest, requiredServer } from '@posthaste/conformance'
import type { Engine } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { nats } from '../src/engine.ts'
import { freshPrefix, removeInstallation } from './installation.ts'

/** Short, so that what a vanished process had in hand is soon somebody else's. */
const leaseMs = 1_200

/** Installations on a running server, each under a prefix of its own. */
export function harnessOn(name: string, change: (engine: Engine) => Engine = (engine) => engine): EngineHarness {
  return {
    parallel: 8,
    settings: { scale: 0.3, patienceMs: 20_000, randomRuns: 6 },
    async create() {
      const { url } = requiredServer(name)
      const prefix = freshPrefix()
      return networkedEngineUnderTest({
        url,
        clock: systemClock,
        connect: (proxied) => change(nats({ url: proxied, prefix, leaseMs, keyRanges: 3, timeoutMs: 10_000 })),
        cleanup: () => removeInstallation(url, prefix),
      })
    },
  }
}

/** On the newest server that is supported. */
export const harness = harnessOn('nats')
