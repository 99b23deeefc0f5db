import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, PosthasteError } from '@posthaste/contracts'
import { directoryOf, type EngineWanted, kindOf } from './url.ts'

/** A person waits less long than a service for a server that may be about to come back. */
const patienceMs = 10_000

/** Makes an engine; it is not open yet. */
export type Connect = (wanted: EngineWanted) => Promise<Engine>

/**
 * The engine of a URL. Its client is loaded only now: whoever asks for help waits for none.
 * @throws INVALID_ARGUMENT NOT_FOUND CONFIG_INVALID
 */
export const connect: Connect = async (wanted) => {
  const kind = kindOf(wanted)
  const { url, prefix, token, tls } = wanted
  const server = { url, ...(prefix !== undefined && { prefix }), ...(tls !== undefined && { tls }) }
  switch (kind) {
    case 'embedded':
      return (await import('@posthaste/embedded')).embedded({ dir: existing(directoryOf(url), wanted.mayCreate) })
    case 'broker': {
      const { broker } = await import('@posthaste/broker')
      return broker({ url, token, timeoutMs: patienceMs, ...(tls !== undefined && { tls }) })
    }
    case 'rabbitmq':
      return (await import('@posthaste/rabbitmq')).rabbitmq({ ...server, timeoutMs: patienceMs })
    case 'kafka':
      return (await import('@posthaste/kafka')).kafka(server)
    case 'nats':
      return (await import('@posthaste/nats')).nats({ ...server, timeoutMs: patienceMs })
    case 'redis':
      return (await import('@posthaste/redis')).redis(server)
  }
}

/** Whoever looks for data and mistypes the directory must not find an empty one made for it. */
function existing(dir: string, mayCreate: boolean): string {
  if (mayCreate || existsSync(join(dir, 'data.mdb'))) return dir
  throw new PosthasteError('NOT_FOUND', `there is no data of an engine in ${dir}`, {
    remedy: 'Name the directory that the application or the broker has as its data directory.',
  })
}
