import type { RateDecision, RateLimit, RateLimitStore } from '@posthaste/contracts'
import { Connection } from './connection.ts'
import { keyOf, type RedisStore } from './keys.ts'
import { checkOptions, type RedisStoreOptions } from './options.ts'
import { takeScript } from './script.ts'

/** Rates in Redis. */
export interface RedisRateLimits extends RateLimitStore, RedisStore {}

/**
 * Keeps rates in Redis, for all processes that use the same server and prefix: a number for each key, which expires when a
 * full burst may come again. Units are taken by one script on the server's clock, so that the rate holds whatever the
 * clocks of the processes show. A call whose answer was lost on the way may have taken its units; it is not repeated.
 *
 * @throws CONFIG_INVALID listing every mistake
 * @see ITU-T I.371 annex A, the generic cell rate algorithm
 */
export function redisRateLimits(options: RedisStoreOptions): RedisRateLimits {
  const checked = checkOptions('redisRateLimits', options)
  const connection = new Connection(checked)
  return {
    name: `redis ${checked.host}:${checked.port}`,
    ping: () => connection.ping(),
    close: () => connection.close(),

    async take(key, units, limit) {
      const args = [String(units), String(limit.unitMs * 1_000), String(limit.burst)]
      const reply = await connection.run(takeScript, keyOf(checked.prefix, 'rate', key), args)
      const [allowed, aheadUs, lateUs] = reply as [number, Buffer, Buffer]
      return decision(
        { allowed: allowed === 1, units, aheadMs: Number(aheadUs) / 1_000, lateMs: Number(lateUs) / 1_000 },
        limit,
      )
    },
  }
}

interface Taken {
  readonly allowed: boolean
  readonly units: number
  /** How far the rate is ahead of now. */
  readonly aheadMs: number
  /** By how much the units come too early. */
  readonly lateMs: number
}

/** What rounding may add up to: a thousandth of a unit, and never more than a microsecond. */
const graceMs = (unitMs: number): number => Math.min(unitMs, 1) / 1_000

function decision({ allowed, units, aheadMs, lateMs }: Taken, { unitMs, burst }: RateLimit): RateDecision {
  const remaining = Math.max(Math.floor((unitMs * burst - aheadMs + graceMs(unitMs)) / unitMs), 0)
  const waitMs = units > burst ? Number.POSITIVE_INFINITY : lateMs
  return { allowed, remaining, retryAfterMs: allowed ? 0 : waitMs, resetAfterMs: aheadMs }
}
