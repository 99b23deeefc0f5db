import { closeSync, openSync, writeSync } from 'node:fs'
import type { Plan } from './contracts.ts'

/** Names one group of a channel. */
export interface GroupName {
  readonly channel: string
  readonly group: string
}

/** Names one handling: who is to handle which message. */
export interface Place extends GroupName {
  readonly id: string
}

/** A message is about to be published, or prepared. What does not follow as `confirmed` may or may not exist. */
export interface Intent {
  readonly t: 'intent'
  readonly id: string
  readonly channel: string
  readonly key?: string | undefined
  /** Order of publishing; grows over all lives. */
  readonly seq: number
  readonly plan: Plan
  /** CRC-32 of the data as JSON, as handlers are to see them. */
  readonly sum: number
  /** CRC-32 of the body that travels, where that is another text. */
  readonly bodySum?: number | undefined
  readonly atMs: number
  readonly headers?: Readonly<Record<string, string>> | undefined
  readonly dueAtMs?: number | undefined
  readonly timeToLiveMs?: number | undefined
  /** Content type of the body, where it is not JSON. */
  readonly format?: string | undefined
  /** Whether its body stands in a store. */
  readonly claimed?: boolean | undefined
  /** What is to become of it, where it is only prepared. */
  readonly decision?: 'commit' | 'rollback' | undefined
}

/** A handler has put a message into its outbox: it exists if the handling of `of` succeeds for good. */
export interface Derived {
  readonly t: 'derived'
  readonly id: string
  readonly of: string
  readonly channel: string
  readonly key?: string | undefined
  readonly seq: number
  readonly sum: number
}

/** A handler was entered. */
export interface Start extends Place {
  readonly t: 'start'
  readonly key?: string | undefined
  readonly attempt: number
  /** CRC-32 of the data as JSON; absent where a handler takes several kinds of data. */
  readonly sum?: number | undefined
  readonly atMs: number
  /** Which batch of this life it came in. */
  readonly batch?: number | undefined
  readonly format?: string | undefined
  readonly claimed?: boolean | undefined
}

/** A handler is about to return or to throw. */
export interface End extends Place {
  readonly t: 'end'
  readonly outcome: 'success' | 'failure' | 'rejection' | 'barred' | 'ignored'
}

/** A dead letter, as it stood at the end. */
export interface Dead extends Place {
  readonly t: 'dead'
  readonly key?: string | undefined
  readonly code: string
  readonly attempts: number
  /** CRC-32. */
  readonly bodySum: number
  readonly headers: Readonly<Record<string, string>>
  readonly atMs: number
  readonly target?: string | undefined
}

/** A record of a channel with history, as it stood at the end. */
export interface Stored {
  readonly t: 'stored'
  readonly channel: string
  readonly id: string
  readonly atMs: number
  /** What it tells, where it recurs. */
  readonly occurrence?: Occurrence | undefined
}

/** A time of something that recurs. */
export interface Occurrence {
  readonly name: string
  readonly forMs: number
}

/** What becomes of single messages, or is done to them: there is much of it. */
export type MessageEntry =
  | Intent
  | Derived
  | Start
  | End
  | Dead
  | Stored
  | { readonly t: 'confirmed'; readonly id: string }
  | { readonly t: 'cancelling'; readonly id: string }
  | { readonly t: 'cancelled'; readonly id: string; readonly wasWaiting: boolean }
  /** A dead letter is about to be given back, or removed. */
  | ({ readonly t: 'redriving' | 'discarding' } & Place)
  | ({ readonly t: 'redriven' | 'discarded' } & Place)

/** What happens to groups, to the system, or to whoever waits. */
export type Fact =
  /** The system has started. */
  | { readonly t: 'ready'; readonly atMs: number }
  /** A publish was refused, or the log reported an error: neither is expected. */
  | { readonly t: 'error'; readonly text: string }
  /** A handler is about to kill its own process. */
  | ({ readonly t: 'suicide' } & Place)
  | { readonly t: 'repeated'; readonly id: string }
  | { readonly t: 'answered'; readonly id: string; readonly of: string; readonly sum: number }
  | { readonly t: 'unanswered'; readonly id: string; readonly code: string }
  /** Somebody is about to say what becomes of a prepared message. */
  | { readonly t: 'deciding'; readonly id: string; readonly by: 'publisher' | 'check-back' }
  | { readonly t: 'decided'; readonly id: string }
  | { readonly t: 'undecided'; readonly id: string }
  | ({ readonly t: 'tick'; readonly id: string; readonly atMs: number } & Occurrence)
  /** How many chains of what recurs there are at the end, and how many there should be. */
  | { readonly t: 'chains'; readonly waiting: number; readonly wanted: number }
  | ({ readonly t: 'paused' | 'resuming' } & GroupName)
  /** A group is about to be moved: to the time, or to the oldest that is kept. */
  | ({ readonly t: 'seeking'; readonly toMs: number } & GroupName)
  /** It was, and behind its new place there are these. */
  | ({ readonly t: 'sought'; readonly retained: readonly string[] } & GroupName)
  | ({
      readonly t: 'lag-read'
      readonly ready: number
      readonly waiting: number
      readonly inFlight: number
    } & GroupName)
  | { readonly t: 'snapshotting'; readonly name: string }
  | { readonly t: 'snapshot'; readonly name: string }
  /** What a snapshot has of a channel. */
  | { readonly t: 'restored'; readonly name: string; readonly ids: readonly string[] }
  /** How many temporary groups there have been. */
  | { readonly t: 'temporary'; readonly count: number }
  /** A temporary group that is still there at the end. */
  | ({ readonly t: 'left-over' } & GroupName)
  /** What a group had not settled at the end. */
  | ({ readonly t: 'lag'; readonly unsettled: number } & GroupName)

/** What the system under test tells of itself. */
export type Entry = MessageEntry | Fact

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
