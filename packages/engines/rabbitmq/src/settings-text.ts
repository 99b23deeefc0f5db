import type { ChannelSpec } from '@posthaste/contracts'

/** A channel as it is known on the server. */
export interface KnownChannel {
  readonly spec: ChannelSpec
  /** How many key ranges it has; 0 where it is not keyed. */
  readonly keyRanges: number
}

/**
 * What the server does not keep of a channel, as a short text: `l.k8.r86400000` is a keyed log of 8 ranges that was asked to
 * keep its records for a day. In the order of `fields`, which must not change.
 */
export function settingsText({ spec, keyRanges }: KnownChannel): string {
  const { kind, retention, priorities = 1, deduplicateForMs } = spec
  const words: string[] = [kind === 'log' ? 'l' : 'q', keyRanges > 0 ? `k${keyRanges}` : 'u']
  if (retention?.forMs !== undefined) words.push(`r${retention.forMs}`)
  if (retention?.bytesMax !== undefined) words.push(`b${retention.bytesMax}`)
  if (priorities !== 1) words.push(`p${priorities}`)
  if (deduplicateForMs !== undefined) words.push(`d${deduplicateForMs}`)
  return words.join('.')
}

/** The channel behind a text; undefined where it is none that this version wrote. */
export function parseSettings(name: string, text: string): KnownChannel | undefined {
  const match = /^([lq])\.(?:u|k(\d+))(?:\.r(\d+))?(?:\.b(\d+))?(?:\.p(\d+))?(?:\.d(\d+))?$/.exec(text)
  if (match === null) return undefined
  const [, kind, ranges, forMs, bytesMax, priorities, deduplicateForMs] = match
  const retention = {
    ...(forMs !== undefined && { forMs: Number(forMs) }),
    ...(bytesMax !== undefined && { bytesMax: Number(bytesMax) }),
  }
  const spec: ChannelSpec = {
    name,
    kind: kind === 'l' ? 'log' : 'queue',
    keyed: ranges !== undefined,
    ...((forMs ?? bytesMax) !== undefined && { retention }),
    ...(priorities !== undefined && { priorities: Number(priorities) }),
    ...(deduplicateForMs !== undefined && { deduplicateForMs: Number(deduplicateForMs) }),
  }
  return { spec, keyRanges: Number(ranges ?? 0) }
}
