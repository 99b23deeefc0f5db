import { setTimeout as sleep } from 'node:timers/promises'
import type { TcpProxy } from '@posthaste/conformance'
import type { PrivateServer } from '../engines/server.ts'
import type { PlannedFault } from './plan.ts'

/** What a fault may be done to. */
export interface Victims {
  readonly server: PrivateServer
  /** The networks of all members. */
  proxies(): readonly TcpProxy[]
  /** Has a member vanish, and another come in its place. */
  replaceMember(): Promise<void>
}

/** Does one fault from its beginning to its healing, and resolves when everything is as it was. */
export async function inflict({ kind, lastsMs, side, delayMs }: PlannedFault, victims: Victims): Promise<void> {
  const { server } = victims
  const each = (change: (proxy: TcpProxy) => void): void => victims.proxies().forEach(change)
  switch (kind) {
    case 'cut':
      return each((proxy) => proxy.cut())
    case 'half-close':
      return each((proxy) => proxy.halfClose(side === 'client' ? 'client' : 'server'))
    case 'refuse':
      each((proxy) => {
        proxy.refuse()
        proxy.cut()
      })
      break
    case 'delay':
      each((proxy) => proxy.delay(delayMs))
      break
    case 'black-hole':
      each((proxy) => proxy.blackHole(side))
      break
    case 'stall':
      server.pause()
      await sleep(lastsMs)
      return server.resume()
    case 'kill':
      await server.kill()
      return server.restart()
    case 'restart':
      return server.restart()
    case 'crash':
      return victims.replaceMember()
  }
  await sleep(lastsMs)
  each((proxy) => proxy.heal())
}
