/*
 * Names in the server. All keys of an installation begin with `{prefix}:`, so that they are in one slot and one script may
 * touch them all. `{prefix}:stream:<channel>` is the stream of a channel, which other clients read and write.
 */

/** What all keys of an installation begin with. */
export const keysOf = (prefix: string): string => `{${prefix}}:`

/** The stream of a channel, at its lowest level of priority. */
export const streamKey = (prefix: string, channel: string): string => `${keysOf(prefix)}stream:${channel}`

/**
 * A record's id in its stream, with `.` and its level of priority where that is above 0: `1763745600000-0.3`.
 */
export type Ref = string

const refSyntax = /^(\d+)-(\d+)(\.\d)?$/
const positionSyntax = /^(\d{15})-(\d{10})(\.\d)?$/

/** The position of a record: its reference with leading zeros, so that it compares as text. */
export function positionOf(ref: Ref): string {
  const [, ms = '', seq = '', level = ''] = refSyntax.exec(ref) ?? []
  return `${ms.padStart(15, '0')}-${seq.padStart(10, '0')}${level}`
}

/** A position in its parts. */
export interface Place {
  readonly ref: Ref
  readonly ms: number
  readonly seq: number
  readonly level: number
}

/** The parts of a position; undefined where the text is none of this engine. */
export function placeOf(position: string): Place | undefined {
  const [, msText, seqText, level = ''] = positionSyntax.exec(position) ?? []
  if (msText === undefined || seqText === undefined) return undefined
  const [ms, seq] = [Number(msText), Number(seqText)]
  return { ref: `${ms}-${seq}${level}`, ms, seq, level: Number(level.slice(1)) }
}

/** When a record joined its stream, milliseconds since the epoch by the server's clock. */
export const joinedAtMs = (ref: Ref): number => Number.parseInt(ref, 10)

/** Longest sequence number that positions have room for. */
const seqMax = 9_999_999_999

/** The stream id right before another: what follows it begins with that one. */
export function idBefore({ ms, seq }: Pick<Place, 'ms' | 'seq'>): string {
  if (seq > 0) return `${ms}-${seq - 1}`
  return ms > 0 ? `${ms - 1}-${seqMax}` : '0-0'
}
