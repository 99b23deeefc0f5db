import type { OutgoingRecord } from '@posthaste/contracts'
import type { Appointment } from './agenda.ts'

/** Numbers start here, so that as text all have 16 digits and compare like numbers. */
export const firstNumber = 1_000_000_000_000_000

/** Whether text is a position of this engine, of a record that is there or not. */
export const isPosition = (text: string): boolean => /^\d{16}$/.test(text)

/** A record in its place in a channel. */
export interface Stored {
  readonly number: number
  /** The number as text. */
  readonly position: string
  /** Its place in the order of hand-over, lowest first: by priority, then by number. */
  readonly rank: number
  /** The key whose order it keeps; none in a channel with priorities. */
  readonly key: string | undefined
  readonly record: OutgoingRecord
  readonly storedAtMs: number
  /** When it took its place: later than stored where it had a due time. Its age counts from here. */
  readonly joinedAtMs: number
  /** How many groups have yet to settle it. */
  neededBy: number
  /** In a queue with a group: the group's view of the record. */
  entry: Entry | undefined
}

/** One group's view of one record, until the group has settled it. */
export interface Entry {
  readonly stored: Stored
  /** Hand-overs that counted and have ended. */
  attempts: number
  /** How many of them ended with their member. */
  vanished: number
  /** When it becomes visible again; undefined unless it waits. */
  appointment: Appointment | undefined
  inFlight: boolean
}
