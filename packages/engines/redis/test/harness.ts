import { randomUUID } from 'node:crypto'
import { type EngineHarness, networkedEngineUnderTest, requiredServer } from '@posthaste/conformance'
import { Redis } from 'ioredis'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { redis } from '../src/engine.ts'
import { removeInstallation } from './installation.ts'

/** A process that is busy has long; one whose connection is gone is soon found to be, by whoever comes next. */
const times = { sessionMs: 15_000, reconnectMs: 1_200, pollMs: 250, timeoutMs: 15_000 }

/** Installations on the running server, each under a prefix of its own. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { randomRuns: 6 },
  async create() {
    const { url } = requiredServer('redis')
    const prefix = `test-${randomUUID()}`
    return networkedEngineUnderTest({
      url,
      clock: systemClock,
      connect: (proxied) => redis({ url: proxied, prefix, ...times }),
      missed: () => untilNoticed(url, prefix),
      cleanup: () => removeInstallation(url, prefix),
    })
  },
}

/** Until another process has seen that the one of an installation is gone, and ended its session. */
async function untilNoticed(url: string, prefix: string): Promise<void> {
  const witness = redis({ url, prefix, ...times })
  await witness.open({ clock: systemClock, log: silentLog, instance: 'witness', random: () => 0.5, onState: () => {} })
  const client = new Redis(url)
  try {
    while ((await client.zcard(`{${prefix}}:sessions`)) > 1) await rest()
  } finally {
    client.disconnect()
    await witness.close()
  }
}

function rest(): Promise<void> {
  return new Promise((resolve) => void systemClock.setTimer(20, resolve))
}
