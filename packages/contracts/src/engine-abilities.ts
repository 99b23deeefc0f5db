import type { Outcome, OutgoingRecord } from './record.ts'
import type { ChannelSpec, GroupSpec } from './topology.ts'

/*
 * What some engines can do beyond the core of the interface: small interfaces of their own, each there or absent.
 */

/** Taking back what is scheduled. */
export interface Scheduling {
  /**
   * Cancels every record of the channel that has this id and a future `dueAtMs`. Resolves when the cancellation is durable.
   * @returns whether it was still waiting; false when it was handed over, was cancelled before, or never existed
   */
  cancel(channel: string, id: string): Promise<boolean>
  /** When the record of this id that waits longest is due, milliseconds since the epoch; undefined when none waits. */
  dueAt(channel: string, id: string): Promise<number | undefined>
}

/** Looking into a channel without consuming: dead letters, above all. */
export interface Browsing {
  /**
   * A page of records, oldest first. Does not disturb consumers. A page may be shorter than asked for, or empty, and still
   * have a `next`: looking for a needle in a backlog must not hold the engine up.
   * @throws NOT_FOUND when the channel is not declared; INVALID_ARGUMENT when `limit` or `after` is none
   */
  browse(query: BrowseQuery): Promise<BrowsePage>
  /**
   * Removes records of a `queue` channel by position and publishes others in the same step, as `atomicSettle` has it.
   * A position that is gone is `NOT_FOUND`, one that is being handled `CONFLICT`, a channel that is a log
   * `FAILED_PRECONDITION`; the share of `publish` that belongs to it is not published: a redrive happens once.
   */
  move(channel: string, moves: readonly Move[]): Promise<readonly Outcome[]>
}

/** Which records to look at. */
export interface BrowseQuery {
  readonly channel: string
  /** Continue after this position; from the oldest if absent. */
  readonly after?: string | undefined
  /** At most this many, 1 to 10,000. */
  readonly limit: number
  /** Only these; all if absent. */
  readonly match?: RecordMatch | undefined
}

/** Which records to find: all that is given must hold. */
export interface RecordMatch {
  readonly id?: string | undefined
  readonly key?: string | undefined
  /** The header `correlationid`; the id of a record that has none. */
  readonly correlationId?: string | undefined
  /** Stored at this wall-clock time or later, milliseconds since the epoch. */
  readonly sinceMs?: number | undefined
  /** Stored before this wall-clock time. */
  readonly untilMs?: number | undefined
}

/** Some records, and where to go on. */
export interface BrowsePage {
  readonly records: readonly BrowsedRecord[]
  /** Pass as `after` for the next page; undefined at the end. */
  readonly next: string | undefined
}

/** A record in its place. */
export interface BrowsedRecord {
  readonly position: string
  readonly storedAtMs: number
  readonly record: OutgoingRecord
}

/** One record to remove, and what takes its place. */
export interface Move {
  readonly position: string
  readonly publish: readonly OutgoingRecord[]
}

/** Telling what is declared; for operators, not for handlers. */
export interface Listing {
  /** Every channel, in the order of their names, those that the core has made for itself (`posthaste.…`) included. */
  channels(): Promise<readonly ChannelSpec[]>
  /**
   * Every group of a channel, in the order of their names.
   * @throws NOT_FOUND when the channel is not declared
   */
  groups(channel: string): Promise<readonly ListedGroup[]>
}

/** A group that exists. */
export interface ListedGroup {
  readonly group: string
  readonly lifetime: 'durable' | 'temporary'
  /** How many members it has at this moment, over all processes; absent where the engine cannot tell. */
  readonly members?: number | undefined
}

/** How far a group is behind. */
export interface LagReading {
  /** The figures of one group at this moment. */
  lag(channel: string, group: string): Promise<Lag>
}

/** The figures of one group. */
export interface Lag {
  /** Records that are due and not yet settled, those in flight included. */
  readonly ready: number
  /** Records that wait for their time, or behind one of their key that does. */
  readonly waiting: number
  /** Records handed over and not yet settled. */
  readonly inFlight: number
  /**
   * Told by engines with key ranges alone, where they can: notes of records, `session` not counted, that stand with ranges
   * which no member of this engine reads. The core counts them among those that wait, adds what its own members have
   * noted, and shows none of it.
   */
  readonly noted?: number | undefined
}

/**
 * Where a group may be moved to: the oldest record that is kept, what comes next, the first record stored at a time or
 * later, or a position that a delivery or a browsed record had.
 */
export type SeekTarget =
  | { readonly to: 'earliest' | 'next' }
  | { readonly atMs: number }
  | { readonly position: string }

/** Moving a group to another place of a log. */
export interface Seeking {
  /**
   * Moves a durable group without members. What it is delivered from here on begins at the target; what it had settled
   * behind the target comes again, what it had not settled before the target never comes, attempts begin at 1, and records
   * that were addressed to it alone stay. A target that is not kept any more counts as the oldest that is.
   * @throws NOT_FOUND when the group is not declared; CONFLICT while it has members; FAILED_PRECONDITION for a queue;
   *   INVALID_ARGUMENT when the position is none of this engine
   */
  seek(channel: string, group: string, target: SeekTarget): Promise<void>
}

/** Names a prepared record. */
export interface PreparedName {
  readonly channel: string
  readonly id: string
}

/** A record that stands outside of its channel until somebody decides. */
export interface PreparedRecord {
  readonly record: OutgoingRecord
  /** When it was prepared, milliseconds since the epoch. */
  readonly preparedAtMs: number
  /** When somebody is to be asked about it; `Infinity`: never again by itself. */
  readonly checkAtMs: number
  /** How often that was put off. */
  readonly checks: number
}

/**
 * Prepared (half) messages: durable and invisible until they are resolved. The first decision counts.
 * All of it also over restarts.
 */
export interface Preparing {
  /** Keeps a record that nobody sees. Preparing again under a name that waits is `CONFLICT`. */
  prepare(record: OutgoingRecord, checkAtMs: number): Promise<Outcome>
  /** Publishes prepared records as `publish` would have; `NOT_FOUND` for what is resolved already or never was there. */
  commit(names: readonly PreparedName[]): Promise<readonly Outcome[]>
  /** Forgets prepared records; `NOT_FOUND` as for `commit`. */
  rollback(names: readonly PreparedName[]): Promise<readonly Outcome[]>
  /** Nobody could decide: asks again at `checkAtMs`, and counts the check. `NOT_FOUND` as for `commit`. */
  postpone(name: PreparedName, checkAtMs: number): Promise<Outcome>
  /** What waits in a channel, those to be asked about first at the front. `limit` 1 to 10,000. */
  prepared(channel: string, limit: number): Promise<readonly PreparedRecord[]>
}

/**
 * Groups over every channel whose name matches a pattern: dotted words, of which `*` stands for one, and a `**` at the end
 * for one or more. Names that begin with `posthaste.` match no pattern.
 */
export interface Patterns {
  /**
   * Makes a group on each log that matches, now and as soon as one is declared later, before anything is published to it,
   * over restarts too for a durable group.
   */
  declare(spec: PatternGroupSpec): Promise<void>
  /**
   * Tells of every channel with a group of this pattern: those there are, before it resolves, and then each as it appears.
   * @returns ends the telling
   */
  watch(pattern: string, onChannel: (channel: string) => void): Promise<() => void>
}

/** A group over a pattern. */
export interface PatternGroupSpec extends Omit<GroupSpec, 'channel'> {
  readonly pattern: string
}
