import { randomUUID } from 'node:crypto'
import type { IdempotencyClaim, IdempotencyState, IdempotencyStore } from '@posthaste/contracts'
import { Connection } from './connection.ts'
import { keyOf, type RedisStore } from './keys.ts'
import { checkOptions, type RedisStoreOptions } from './options.ts'
import { claimScript, completeScript, releaseScript } from './script.ts'

/** Results in Redis. */
export interface RedisIdempotency extends IdempotencyStore, RedisStore {}

/**
 * Keeps results in Redis, for all processes that use the same server and prefix: a key for each, which expires by itself. Each
 * step is one script, so that of any number of claims at a time exactly one stands. Time is the server's. What the server
 * forgets when it crashes (`appendfsync`), when it fails over or by an eviction policy, it forgets here too.
 *
 * A claim whose answer was lost on the way stands until its lease lapses.
 *
 * @throws CONFIG_INVALID listing every mistake
 */
export function redisIdempotency(options: RedisStoreOptions): RedisIdempotency {
  const checked = checkOptions('redisIdempotency', options)
  const connection = new Connection(checked)
  const redisKey = (key: string): Buffer => keyOf(checked.prefix, 'idempotency', key)
  return {
    name: `redis ${checked.host}:${checked.port}`,
    ping: () => connection.ping(),
    close: () => connection.close(),

    async claim({ key, fingerprint, leaseMs }: IdempotencyClaim): Promise<IdempotencyState> {
      const token = `${randomUUID()}:${fingerprint}`
      const args = [token, fingerprint, milliseconds(leaseMs)]
      const [state, detail] = (await connection.run(claimScript, redisKey(key), args)) as [Buffer, unknown]
      switch (state.toString()) {
        case 'fresh':
          return { state: 'fresh', token }
        case 'done':
          return { state: 'done', result: Uint8Array.from(detail as Buffer) }
        case 'inFlight':
          return { state: 'inFlight', retryAfterMs: Math.max(Number(detail), 0) }
        default:
          return { state: 'mismatch' }
      }
    },

    async complete(key, token, { result, ttlMs }) {
      // The key may have expired, so what was asked for is in the token as well.
      const fingerprint = token.slice(token.indexOf(':') + 1)
      const args = [token, fingerprint, milliseconds(ttlMs), Buffer.from(result)]
      return (await connection.run(completeScript, redisKey(key), args)) === 1
    },

    async release(key, token) {
      await connection.run(releaseScript, redisKey(key), [token])
    },
  }
}

function milliseconds(ms: number): string {
  return String(Math.max(Math.ceil(ms), 1))
}
