import type { Clock, Engine } from '@posthaste/contracts'
import { type EngineUnderTest, engineUnderTest } from '../harness.ts'
import { TcpProxy } from './tcp-proxy.ts'

/** What {@link networkedEngineUnderTest} builds on. */
export interface NetworkedInstallation {
  /** The server's address: `scheme://host:port`, with whatever else belongs to it. */
  readonly url: string
  readonly clock: Clock
  /** Makes an engine on the installation's state that reaches its server at this address: a proxy stands there. */
  connect(url: string): Engine
  /** Called after a crash: resolves when the server misses the process that is gone, where the cases cannot wait for that. */
  readonly missed?: (() => Promise<void>) | undefined
  /** Removes what the installation has left on the server; every engine is closed by then. */
  cleanup(): Promise<void>
}

/**
 * Opens an engine that reaches its server over a network: a {@link TcpProxy}, which the cases break on purpose. A crash is a
 * connection that is cut for good, so that the server hears no more of the engine, as after `kill -9`.
 */
export async function networkedEngineUnderTest(installation: NetworkedInstallation): Promise<EngineUnderTest> {
  const { url, clock, connect, missed, cleanup } = installation
  const proxies = new Map<Engine, TcpProxy>()
  const closing: Promise<void>[] = []
  let proxy = await proxyBefore(url)
  return engineUnderTest({
    clock,
    connect() {
      const engine = connect(proxy.url(url))
      proxies.set(engine, proxy)
      return engine
    },
    get network() {
      return proxy
    },
    async crash(engine) {
      await proxies.get(engine)?.destroy()
      closing.push(engine.close().catch(() => {}))
      await missed?.()
      proxy = await proxyBefore(url)
    },
    async cleanup() {
      await Promise.all(closing)
      await proxy.destroy()
      await cleanup()
    },
  })
}

async function proxyBefore(url: string): Promise<TcpProxy> {
  const { hostname: host, port } = new URL(url)
  const proxy = new TcpProxy({ host, port: Number(port) })
  await proxy.listen()
  return proxy
}
