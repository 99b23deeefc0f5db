import { type EngineHarness, networkedEngineUnderTest, requiredServer } from '@posthaste/conformance'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { broker } from '../src/engine.ts'

/** A process that is gone is missed soon. */
const times = { sessionMs: 3_000, timeoutMs: 15_000 }

/** The running broker; channels have names of their own in each case. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { randomRuns: 6 },
  async create() {
    const { url } = requiredServer('broker')
    return networkedEngineUnderTest({
      url,
      clock: systemClock,
      connect: (proxied) => broker({ url: proxied, ...times }),
      missed: () => untilMissed(url),
      cleanup: async () => {},
    })
  },
}

/** Until the broker has given up every client that has no connection now. */
async function untilMissed(url: string): Promise<void> {
  const witness = broker({ url, ...times })
  await witness.open({ clock: systemClock, log: silentLog, instance: 'witness', random: () => 0.5, onState: () => {} })
  const away = async () =>
    (await witness.clients()).filter(({ isConnected }) => !isConnected).map(({ number }) => number)
  try {
    await rest()
    const gone = new Set(await away())
    while ((await away()).some((number) => gone.has(number))) await rest()
  } finally {
    await witness.close()
  }
}

function rest(): Promise<void> {
  return new Promise((resolve) => void systemClock.setTimer(50, resolve))
}
