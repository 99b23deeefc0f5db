import type { ChannelLog } from './channel-log.ts'

/** A place in one of the logs of a channel. */
export interface Position {
  readonly offset: number
  /** The level of priority of its log. */
  readonly level: number
  /** When what stands there was stored; 0 where the channel has one log, in which the offset says enough. */
  readonly storedAtMs: number
}

/**
 * A place as text whose order is that of browsing. Where a channel has a log for each level of priority, their records are
 * in order of time, and those of one time in order of levels.
 */
export function positionOf({ level }: ChannelLog, offset: number, storedAtMs: number): string {
  const place = wide(offset)
  return level === undefined ? place : `${wide(Math.floor(storedAtMs))}.${level}.${place}`
}

/** The place that a text names; undefined if it names none of a channel with this many levels. */
export function parsePosition(text: string, levels: number): Position | undefined {
  if (levels === 1) return /^\d{15}$/.test(text) ? { offset: Number(text), level: 0, storedAtMs: 0 } : undefined
  const [, storedAtMs, level, offset] = /^(\d{15})\.(\d)\.(\d{15})$/.exec(text) ?? []
  if (Number(level) >= levels || offset === undefined) return undefined
  return { offset: Number(offset), level: Number(level), storedAtMs: Number(storedAtMs) }
}

/** Where in one log of a channel the records begin that are at a place or behind it. */
export function placeIn(log: ChannelLog, { level, offset, storedAtMs }: Position): number {
  if (log.level === undefined || log.level === level) return offset
  return log.offsetAt(log.level > level ? storedAtMs : storedAtMs + 1)
}

function wide(value: number): string {
  return value.toString().padStart(15, '0')
}
