import type { Clock, EngineCapabilities } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import type { Link } from './link.ts'

/** What a server promises about what it confirmed. */
export interface ServerPromise {
  readonly durability: EngineCapabilities['durability']
  /** What an operator should look at; empty when all is well. */
  readonly warnings: readonly string[]
}

/** The oldest server whose commands suffice: `ZADD LT`, exclusive ranges of streams. */
const oldestVersion = 6.2

/**
 * Asks the server how it keeps what it confirms.
 * @throws FAILED_PRECONDITION when the server is too old
 */
export async function promiseOf(link: Link): Promise<ServerPromise> {
  const info = String(await link.command('INFO', 'server').catch(() => ''))
  const version = /redis_version:(\d+\.\d+)/.exec(info)?.[1]
  if (version !== undefined && Number(version) < oldestVersion) {
    throw new PosthasteError('FAILED_PRECONDITION', `redis: the server is of version ${version}`, {
      remedy: `Use a server of version ${oldestVersion} or newer.`,
    })
  }
  try {
    return judge(new Map(await settings(link)))
  } catch (thrown) {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    const warning = `its settings cannot be read, so appendonly yes, appendfsync always, noeviction is assumed: ${text}`
    return { durability: 'disk', warnings: [warning] }
  }
}

async function settings(link: Link): Promise<readonly (readonly [string, string])[]> {
  const names = ['appendonly', 'appendfsync', 'maxmemory-policy']
  return Promise.all(
    names.map(async (name) => {
      const answer = await link.command('CONFIG', 'GET', name)
      const value: unknown = Array.isArray(answer) ? answer[1] : undefined
      if (value === undefined) throw new TypeError(`the server does not tell ${name}`)
      return [name, String(value)] as const
    }),
  )
}

/** What settings come to. */
export function judge(found: ReadonlyMap<string, string>): ServerPromise {
  const warnings: string[] = []
  const [appendonly, appendfsync, policy] = ['appendonly', 'appendfsync', 'maxmemory-policy'].map((name) =>
    found.get(name),
  )
  if (appendonly !== 'yes') warnings.push('appendonly is off: what is confirmed is in memory alone')
  else if (appendfsync !== 'always')
    warnings.push(`appendfsync is ${appendfsync}: what was confirmed in the last second may be lost with the machine`)
  if (policy !== undefined && policy !== 'noeviction')
    warnings.push(`maxmemory-policy is ${policy}: the server drops messages when its memory is full`)
  const isSafe = appendonly === 'yes' && appendfsync === 'always' && (policy ?? 'noeviction') === 'noeviction'
  return { durability: isSafe ? 'disk' : 'none', warnings }
}

/** How many times the server's clock is asked for. */
const samples = 3

/** How far the server's clock is ahead, and how exactly that is known: by the quickest of a few answers. */
export async function measureSkew(link: Link, clock: Clock): Promise<readonly [aheadMs: number, errorMs: number]> {
  let [bestMs, aheadMs] = [Number.POSITIVE_INFINITY, 0]
  for (let sample = 0; sample < samples; sample += 1) {
    const [sentMs, askedAtMs] = [clock.monotonicMs(), clock.nowMs()]
    const answer = await link.command('TIME')
    const tookMs = clock.monotonicMs() - sentMs
    if (!Array.isArray(answer) || tookMs >= bestMs) continue
    bestMs = tookMs
    aheadMs = Number(answer[0]) * 1_000 + Number(answer[1]) / 1_000 - (askedAtMs + tookMs / 2)
  }
  // The clock shows whole milliseconds.
  return [aheadMs, bestMs / 2 + 1]
}
