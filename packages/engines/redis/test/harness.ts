import { randomUUID } from 'node:crypto'
import {
  type EngineHarness,
  engineUnderTest,
  type RunningServer,
  runningServer,
  TcpProxy,
} from '@posthaste/conformance'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { Redis } from 'ioredis'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { redis } from '../src/engine.ts'
import { removeInstallation } from './installation.ts'

/** A process that is busy has long; one whose connection is gone is soon found to be, by whoever comes next. */
const times = { sessionMs: 15_000, reconnectMs: 1_200, pollMs: 250, timeoutMs: 15_000 }

function server(): RunningServer {
  const found = runningServer('redis')
  if (found === undefined)
    throw new PosthasteError('FAILED_PRECONDITION', 'no redis is up: start it with: npm run engines -- up redis')
  return found
}

/** Installations on the running server, each under a prefix of its own. A crash cuts the engine off for good. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { randomRuns: 6 },
  async create() {
    const { url } = server()
    const { hostname, port } = new URL(url)
    const prefix = `test-${randomUUID()}`
    const proxies = new Map<Engine, TcpProxy>()
    let proxy = await startedProxy(hostname, Number(port))
    const closing: Promise<void>[] = []
    return engineUnderTest({
      connect() {
        const engine = redis({ url: proxy.url(url), prefix, ...times })
        proxies.set(engine, proxy)
        return engine
      },
      clock: systemClock,
      network: proxy,
      async crash(engine) {
        await proxies.get(engine)?.destroy()
        closing.push(engine.close().catch(() => {}))
        await untilNoticed(url, prefix)
        proxy = await startedProxy(hostname, Number(port))
      },
      async cleanup() {
        await Promise.all(closing)
        await proxy.destroy()
        await removeInstallation(url, prefix)
      },
    })
  },
}

async function startedProxy(host: string, port: number): Promise<TcpProxy> {
  const proxy = new TcpProxy({ host, port })
  await proxy.listen()
  return proxy
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
