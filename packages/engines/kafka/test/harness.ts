import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { howToStart, KafkaInstallation, server } from './installation.ts'

/** On a server that runs, in the machine’s time. A crash is a connection that is cut for good. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { scale: 0.2, patienceMs: 20_000, randomRuns: 3 },
  async create() {
    if (server === undefined) throw new Error(`no Kafka is up: ${howToStart}`)
    const installation = new KafkaInstallation(server.url)
    await installation.connect()
    return engineUnderTest({
      connect: () => installation.connectNow(),
      clock: systemClock,
      get network() {
        return installation.proxy
      },
      async crash(engine) {
        await installation.cut()
        void engine.close().catch(() => {})
      },
      cleanup: () => installation.remove(),
    })
  },
}
