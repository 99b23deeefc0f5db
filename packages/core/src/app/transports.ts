import type { ServedMethod, ServerTransport, TransportHost } from '@posthaste/contracts'
import type { Part } from './life-cycle.ts'

/** The transports of an application, started one after the other and stopped together. */
export interface TransportsPart extends Part {
  /** Where they listen, as URLs. */
  readonly urls: readonly string[]
}

/** @param served looked at when starting: services may be served until then */
export function transportsPart(
  transports: readonly ServerTransport[],
  served: () => readonly ServedMethod[],
  host: TransportHost,
): TransportsPart {
  const urls: string[] = []
  const begun: ServerTransport[] = []
  return {
    name: 'transports',
    urls,
    async start() {
      const methods = served()
      for (const transport of transports) {
        begun.push(transport)
        urls.push(...(await transport.start(methods, host)))
      }
      if (urls.length > 0) host.log.info('listening', { urls })
    },
    async close(graceMs) {
      const stopped = await Promise.allSettled(begun.splice(0).map((transport) => transport.stop(graceMs)))
      urls.length = 0
      const failure = stopped.find((result) => result.status === 'rejected')
      if (failure !== undefined) throw failure.reason
    },
  }
}
