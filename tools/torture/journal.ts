import { closeSync, openSync, writeSync } from 'node:fs'
import type { Plan } from './contracts.ts'

/** Names one handling: who is to handle which message. */
export interface Place {
  readonly channel: string
  readonly group: string
  readonly id: string
}

/** A message is about to be published. What does not follow as `confirmed` may or may not exist. */
export interface Intent {
  readonly t: 'intent'
  readonly id: string
  readonly channel: string
  readonly key?: string | undefined
  /** Order of publishing; grows over all lives. */
  readonly seq: number
  readonly plan: Plan
  /** Base64. */
  readonly body: string
  readonly tag?: string | undefined
  readonly dueAtMs?: number | undefined
}

/** A handler has put a message into its outbox: it exists if the handling of `of` succeeds for good. */
export interface Derived {
  readonly t: 'derived'
  readonly id: string
  readonly of: string
  readonly channel: string
  readonly key?: string | undefined
  readonly seq: number
  readonly body: string
}

/** A handler was entered. */
export interface Start extends Place {
  readonly t: 'start'
  readonly key?: string | undefined
  readonly attempt: number
  /** CRC-32 of the data as JSON. */
  readonly sum: number
  readonly atMs: number
}

/** A handler is about to return or to throw. */
export interface End extends Place {
  readonly t: 'end'
  readonly outcome: 'success' | 'failure' | 'rejection'
}

/** A dead letter, as it stood at the end. */
export interface Dead extends Place {
  readonly t: 'dead'
  readonly key?: string | undefined
  readonly code: string
  readonly attempts: number
  readonly body: string
  readonly tag?: string | undefined
  readonly type?: string | undefined
}

/** What the system under test tells of itself. */
export type Entry =
  | Intent
  | Derived
  | Start
  | End
  | Dead
  | { readonly t: 'confirmed'; readonly id: string }
  /** A publish was refused, or the log reported an error: neither is expected. */
  | { readonly t: 'error'; readonly text: string }
  | { readonly t: 'cancelling'; readonly id: string }
  | { readonly t: 'cancelled'; readonly id: string; readonly wasWaiting: boolean }
  | ({ readonly t: 'redriving' } & Place)
  | ({ readonly t: 'redriven' } & Place)
  /** A handler is about to kill its own process. */
  | ({ readonly t: 'suicide' } & Place)
  /** A record of a channel with history, as it stood at the end. */
  | { readonly t: 'stored'; readonly channel: string; readonly id: string }
  /** What a group had not settled at the end. */
  | { readonly t: 'lag'; readonly channel: string; readonly group: string; readonly unsettled: number }

/** Appends entries to a file, each with a write of its own: what was written outlives the process, however it ends. */
export interface Journal {
  write(entry: Entry): void
  close(): void
}

/** Opens a journal for appending. */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'a')
  return {
    write: (entry) => void writeSync(file, `${JSON.stringify(entry)}\n`),
    close: () => closeSync(file),
  }
}

/**
 * The entries of one life. A last line without an end was cut by the kill and did not happen.
 * @throws SyntaxError on any other line that is no entry
 */
export function parseJournal(text: string): Entry[] {
  const lines = text.split('\n')
  lines.pop()
  return lines.map((line) => JSON.parse(line) as Entry)
}
