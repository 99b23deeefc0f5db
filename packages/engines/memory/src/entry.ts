import type { OutgoingRecord } from '@posthaste/contracts'
import type { Appointment } from './agenda.ts'

/** A record in its place in a channel. */
export interface Stored {
  readonly number: number
  /** The number as text: positions start at 10^15, so that all have 16 digits and compare as text. */
  readonly position: string
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
  /** When it becomes visible again; undefined unless it waits. */
  appointment: Appointment | undefined
  inFlight: boolean
}
