import {
  type EngineHarness,
  engineUnderTest,
  type RunningServer,
  runningServer,
  TcpProxy,
} from '@posthaste/conformance'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { rabbitmq } from '../src/engine.ts'
import { Declared, freshPrefix } from './installation.ts'

const keyRanges = 3

/** Installations on the running server, each under a prefix of its own. A crash cuts the engine off for good. */
export const harness: EngineHarness = {
  parallel: 4,
  settings: { scale: 0.3, patienceMs: 20_000, randomRuns: 6 },
  async create() {
    const { url } = server()
    const { hostname, port } = new URL(url)
    const prefix = freshPrefix()
    const declared = new Declared()
    const proxies = new Map<Engine, TcpProxy>()
    const closing: Promise<void>[] = []
    let proxy = await startedProxy(hostname, Number(port))
    return engineUnderTest({
      connect() {
        const options = {
          url: proxy.url(url),
          prefix,
          keyRanges,
          timeoutMs: 10_000,
          rebalanceMs: 500,
          heartbeatMs: 5_000,
        }
        const engine = declared.by(rabbitmq(options))
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
        await declared.remove({ url, prefix, keyRanges })
      },
    })
  },
}

function server(): RunningServer {
  const found = runningServer('rabbitmq')
  if (found !== undefined) return found
  throw new PosthasteError('FAILED_PRECONDITION', 'no RabbitMQ is up: start it with: npm run engines -- up rabbitmq')
}

async function startedProxy(host: string, port: number): Promise<TcpProxy> {
  const proxy = new TcpProxy({ host, port })
  await proxy.listen()
  return proxy
}
