import { type Note, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { Entry, Source } from './entry.ts'

/*
 * What stands in the notes of a key range: the records that are parked, each with a header that says what has become of it
 * so far, and one note that says who reads the range.
 */

/** What a completed engine keeps of `headerBytesMax` for the header of its notes. */
export const noteHeaderBytes = 512

/** The name of the note that says who reads a range. */
export const sessionName = 'session'

const stateHeader = 'posthastenote'
const sessionHeader = 'posthastesession'
const radix = 36
const orderDigits = 11
const nothing = new Uint8Array(0)

/** The reader in the session of a range whose last one left in order. */
export const nobody = ''

/** Who reads a key range, and how many deliveries may be under way that no note tells of. */
export interface Session {
  readonly reader: string
  readonly unsettled: number
  /** They were stored before; the time of taking over if absent. */
  readonly sinceMs?: number | undefined
}

/** A parked record as it was noted. */
export interface Parked {
  readonly name: string
  readonly order: number
  readonly source: Source
  readonly attempt: number
  readonly vanished: number
  readonly dueAtMs: number
  readonly holds: boolean
  /** Whether it was handed over, and nothing was heard of it since. */
  readonly inHand: boolean
  /** Whether the engine may not have had the acknowledgement of what it delivered. */
  readonly mayComeAgain: boolean
}

/** The name of a note: in text order as records are in the order of the range. */
export function noteName(order: number): string {
  return `n${order.toString(radix).padStart(orderDigits, '0')}`
}

/** What a note says beside its entry. */
export type NoteFlags = Pick<Parked, 'inHand' | 'mayComeAgain'>

/** An entry as a note; `inHand` says that it is handed over from then on. */
export function noteOf(entry: Entry, { inHand, mayComeAgain }: NoteFlags): OutgoingRecord {
  const { source, attempt, vanished, dueAtMs, holds } = entry
  const { record, storedAtMs, position } = source
  // What would have the engine act on it is kept in the header: a note is nothing that is due. The group that it is
  // addressed to stays: a seek spares what is not in the log.
  const { dueAtMs: publishedDueAtMs, ...rest } = record
  const flags = `${holds ? 'h' : ''}${inHand ? 'i' : ''}${mayComeAgain ? 'r' : ''}${record.group === undefined ? '' : 'g'}`
  const published = publishedDueAtMs === undefined ? '' : numberText(publishedDueAtMs)
  const numbers = [attempt, vanished, dueAtMs, storedAtMs].map(numberText)
  const state = [...numbers, published, flags, position].join(';')
  return { ...rest, headers: { ...record.headers, [stateHeader]: state } }
}

/**
 * The entry that a note tells of.
 * @throws INTERNAL when it tells of none
 */
export function parkedOf({ name, record }: Note, group: string): Parked {
  const { [stateHeader]: state, ...headers } = record.headers
  const [attempt, vanished, dueAtMs, storedAtMs, published, flags, ...position] = (state ?? '').split(';')
  if (flags === undefined) throw new PosthasteError('INTERNAL', `the note ${name} of ${record.id} cannot be read`)
  const restored: OutgoingRecord = {
    ...record,
    headers,
    ...(published !== '' && { dueAtMs: numberOf(published) }),
    ...(flags.includes('g') && { group }),
  }
  return {
    name,
    order: Number.parseInt(name.slice(1), radix),
    source: { record: restored, storedAtMs: numberOf(storedAtMs), position: position.join(';') },
    attempt: numberOf(attempt),
    vanished: numberOf(vanished),
    dueAtMs: numberOf(dueAtMs),
    holds: flags.includes('h'),
    inHand: flags.includes('i'),
    mayComeAgain: flags.includes('r'),
  }
}

/** A session as a note. */
export function sessionNote(channel: string, { reader, unsettled, sinceMs }: Session): OutgoingRecord {
  const since = sinceMs === undefined ? '' : numberText(sinceMs)
  const headers = { [sessionHeader]: `${numberText(unsettled)};${since};${reader}` }
  return { id: sessionName, channel, headers, body: nothing }
}

/** The session that a note tells of. */
export function sessionOf({ record }: Note): Session {
  const [unsettled, since = '', reader = ''] = (record.headers[sessionHeader] ?? '').split(';')
  return { reader, unsettled: numberOf(unsettled), ...(since !== '' && { sinceMs: numberOf(since) }) }
}

/** Times may be fractions of a millisecond. */
function numberText(value: number): string {
  return Number.isInteger(value) ? value.toString(radix) : `.${value}`
}

function numberOf(text: string | undefined): number {
  if (text === undefined || text === '') return 0
  const value = text.startsWith('.') ? Number(text.slice(1)) : Number.parseInt(text, radix)
  return Number.isNaN(value) ? 0 : value
}
