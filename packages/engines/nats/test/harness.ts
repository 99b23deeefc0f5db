import {
  type EngineHarness,
  engineUnderTest,
  type RunningServer,
  runningServer,
  TcpProxy,
} from '@posthaste/conformance'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { nats } from '../src/engine.ts'
import { freshPrefix, removeInstallation } from './installation.ts'

/** Short, so that what a vanished process had in hand is soon somebody else's. */
const leaseMs = 1_200

function server(name: string): RunningServer {
  const found = runningServer(name)
  if (found !== undefined) return found
  throw new PosthasteError('FAILED_PRECONDITION', `no ${name} is up: start it with: npm run engines -- up ${name}`)
}

/** Installations on a running server, each under a prefix of its own. A crash cuts the engine off for good. */
export function harnessOn(name: string, change: (engine: Engine) => Engine = (engine) => engine): EngineHarness {
  return {
    parallel: 8,
    settings: { scale: 0.3, patienceMs: 20_000, randomRuns: 6 },
    async create() {
      const { url } = server(name)
      const { hostname, port } = new URL(url)
      const prefix = freshPrefix()
      const proxies = new Map<Engine, TcpProxy>()
      let proxy = await startedProxy(hostname, Number(port))
      const closing: Promise<void>[] = []
      return engineUnderTest({
        connect() {
          const engine = change(nats({ url: proxy.url(url), prefix, leaseMs, keyRanges: 3, timeoutMs: 10_000 }))
          proxies.set(engine, proxy)
          return engine
        },
        clock: systemClock,
        get network() {
          return proxy
        },
        async crash(engine) {
          await proxies.get(engine)?.destroy()
          closing.push(engine.close().catch(() => {}))
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
}

/** On the newest server that is supported. */
export const harness = harnessOn('nats')

async function startedProxy(host: string, port: number): Promise<TcpProxy> {
  const proxy = new TcpProxy({ host, port })
  await proxy.listen()
  return proxy
}
