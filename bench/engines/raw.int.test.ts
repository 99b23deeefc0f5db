import { runningServer } from '@posthaste/conformance'
import { describe, expect, it } from 'vitest'
import { serverNames } from './contestant.ts'
import { Flow } from './flow.ts'
import { raw } from './raw/all.ts'

describe.each(serverNames)('the raw client of %s', (server) => {
  const running = runningServer(server)

  it.skipIf(running === undefined && process.env.CI === undefined).each([false, true])(
    'hands each message that it published to the handler (attributes: %s)',
    async (attributes) => {
      if (running === undefined) throw new Error(`${server} is not up; start it with: npm run engines -- up ${server}`)
      const contestant = await raw[server]()
      const prefix = `bench-test-${crypto.randomUUID()}-`
      const opened = await contestant.open({ url: running.url, prefix, bytes: 100, window: 64, attributes })
      try {
        const flow = new Flow(64, true)
        await opened.consume(flow.less)
        const publishing = opened.publish(flow)
        await expect.poll(() => flow.handled, { timeout: 20_000 }).toBeGreaterThan(500)
        flow.isOver = true
        await publishing
        // At least once: the client of Kafka repeats some now and then when it has joined its group.
        await expect.poll(() => flow.handled, { timeout: 20_000 }).toBeGreaterThanOrEqual(flow.confirmed)
      } finally {
        await opened.close()
      }
    },
  )
})
