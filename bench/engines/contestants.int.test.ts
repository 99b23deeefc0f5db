import { randomBytes } from 'node:crypto'
import process from 'node:process'
import { runningServer } from '@posthaste/conformance'
import { describe, expect, it } from 'vitest'
import { bus } from './bus.ts'
import { serverNames } from './contestant.ts'
import { Flow } from './flow.ts'
import { raw } from './raw/all.ts'
import type { Side } from './round.ts'

const window = 64

describe.each(serverNames)('on %s', (server) => {
  const running = runningServer(server)

  it.skipIf(running === undefined && process.env.CI === undefined).each<Side>(['bus', 'raw', 'raw, same attributes'])(
    'each message that was published reaches the handler (%s)',
    async (side) => {
      if (running === undefined) throw new Error(`${server} is not up; start it with: npm run engines -- up ${server}`)
      const contestant = side === 'bus' ? bus(server) : await raw[server]()
      const prefix = `bench-${randomBytes(3).toString('hex')}-`
      const attributes = side === 'raw, same attributes'
      const opened = await contestant.open({ url: running.url, prefix, bytes: 100, window, attributes })
      try {
        const flow = new Flow(window, true)
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
