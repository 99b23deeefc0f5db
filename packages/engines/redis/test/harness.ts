import { randomUUID } from 'node:crypto'
import {
  type EngineHarness,
  engineUnderTest,
  type RunningServer,
  runningServer,
  TcpProxy,
} from '@posthaste/conformance'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { redis } from '../src/engine.ts'
import { removeInstallation } from './installation.ts'

/** Short, so that what a vanished process had in hand is soon somebody else's, and long enough for a machine that is busy. */
const sessionMs = 2_000

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
        const engine = redis({ url: proxy.url(url), prefix, sessionMs, pollMs: 250, timeoutMs: 10_000 })
        proxies.set(engine, proxy)
        return engine
      },
      clock: systemClock,
      network: proxy,
      async crash(engine) {
        await proxies.get(engine)?.destroy()
        closing.push(engine.close().catch(() => {}))
        await untilOver(sessionMs)
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

/** Until nobody can say any more that the process lives. */
function untilOver(ms: number): Promise<void> {
  return new Promise((resolve) => void systemClock.setTimer(ms + 250, resolve))
}
