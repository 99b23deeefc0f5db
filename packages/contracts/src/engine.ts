import type { Headers } from './call.ts'
import type { EngineCapabilities } from './capabilities.ts'
import type { Clock, Log } from './clock.ts'
import type { Retention } from './contract.ts'
import type { PosthasteError } from './error.ts'

/**
 * What stores and moves messages. The smallest interface that a log, a queue broker and an embedded store can all stand
 * behind: records go in in batches, deliveries come out on credit, and each delivery is settled.
 *
 * What an engine must not do: decode bodies, decide about retries, count failures, compose dead letters, deduplicate.
 * Those are the core's, once, so that they mean the same on every engine. What it must do: keep what it confirmed, keep
 * the order it declares, count hand-overs, keep time.
 *
 * Every method may be called many times at once. Methods reject with a `PosthasteError` and never throw synchronously.
 *
 * All times that cross this interface are wall-clock times of this process (`EngineHost.clock`). An engine whose server
 * keeps the clock converts both ways by the skew it measured when it connected.
 */
export interface Engine {
  /** Short name for logs and errors: `embedded`, `kafka`. */
  readonly name: string
  readonly capabilities: EngineCapabilities
  /**
   * Connects, recovers, and is ready for `declare`.
   * @throws ENGINE_LOCKED ENGINE_FORMAT ENGINE_CORRUPT UNAVAILABLE
   */
  open(host: EngineHost): Promise<void>
  /**
   * Makes channels and groups exist. Idempotent. What exists with other settings is reported and left as it is; nothing
   * is ever deleted. A group exists from here on, whether or not anybody subscribes.
   */
  declare(topology: Topology): Promise<TopologyReport>
  /**
   * Stores records and resolves once they are as durable as the engine can make them, with one outcome per record in
   * the same order. Records of one channel keep the order of the calls, also while earlier calls are still under way.
   * An outcome that is not ok says that the record is not confirmed, not that it does not stand: publish it again with
   * the same id. Every record is answered within the engine's own time limit. The engine may keep the arrays it is
   * given: the caller must not change a record or its body afterwards.
   */
  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]>
  /**
   * Joins a declared group. Nothing is delivered until credit is granted.
   * @throws NOT_FOUND when the group is not declared
   */
  subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription>
  /**
   * Lets go of everything. Called after the core has drained; publishes still waiting are answered first, and what is
   * unsettled is handed back without counting an attempt. Afterwards every method fails with `ENGINE_CLOSED`, and late
   * settlements with that or `DELIVERY_LOST`. Idempotent, and harmless after an `open` that failed.
   */
  close(): Promise<void>

  /** Taking back what is scheduled; absent where the engine cannot. */
  readonly scheduling?: Scheduling
  /** Looking into a channel without consuming; absent where the engine cannot. */
  readonly browsing?: Browsing
  /** How far groups are behind; absent where the engine cannot tell. */
  readonly lag?: LagReading
  /** Moving a group to another place of the log; absent where the engine cannot. */
  readonly seeking?: Seeking
  /** Prepared (half) messages; absent where the engine cannot. */
  readonly preparing?: Preparing
  /** Groups over all channels of a pattern; there where `patterns` is native. */
  readonly patterns?: Patterns
}

/** What an engine is given when it opens. */
export interface EngineHost {
  readonly clock: Clock
  readonly log: Log
  /** Names this process in leases, connections and lock files: application name and an instance id. */
  readonly instance: string
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number
  /** How far the server's clock is ahead of ours and how exactly that is known, in milliseconds; told at each connect. */
  onClockSkew?(aheadMs: number, errorMs: number): void
  /** The engine tells when its state changes; the cause says why, in the server's own words where it has any. */
  onState(state: EngineState, cause?: PosthasteError): void
}

/**
 * `connected`: works. `degraded`: works, but something needs attention. `lost`: takes and gives nothing for now.
 */
export type EngineState = 'connected' | 'degraded' | 'lost'

// ── Topology ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The channels and groups an application needs. */
export interface Topology {
  readonly channels: readonly ChannelSpec[]
  readonly groups: readonly GroupSpec[]
}

/** Where messages of one contract stand. */
export interface ChannelSpec {
  /** 1 to 240 of `A-Z a-z 0-9 . _ -`. An engine with narrower names maps them one to one, or refuses in `declare`. */
  readonly name: string
  /** `log`: each group reads all of it, records stay as retention says. `queue`: one group, records go when settled. */
  readonly kind: 'log' | 'queue'
  /** Whether records carry keys that must keep order. Engines with partitions create their key ranges for it. */
  readonly keyed: boolean
  readonly retention?: Retention | undefined
  /**
   * Keyed like this other channel: as many key ranges, the same hash, and in each group whoever reads a range of the one
   * reads that range of the other. The core parks successors of a failed message there. Only where `keyOrder` is
   * `partitions`.
   */
  readonly alongside?: string | undefined
  /**
   * Levels of priority: records of a higher one are handed over first, those of one level in their order. 1 if absent, at
   * most `priorityLevels`. Not for keyed channels: the order of a key and priorities exclude each other.
   */
  readonly priorities?: number | undefined
  /**
   * For this many milliseconds after a record was stored, another one of its id is confirmed and not stored again, over
   * restarts too. At most `deduplicateForMsMax`; absent: never. A record that is addressed to one group (a redrive) is no
   * repetition. A scheduled record counts from when it was published.
   */
  readonly deduplicateForMs?: number | undefined
}

/** Who shares the work of a channel. */
export interface GroupSpec {
  readonly channel: string
  /** 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly group: string
  /**
   * Where a group of a log that does not exist yet begins: with what comes next, or with all that is still kept. The one
   * group of a queue takes all that stands there; a second one is drift.
   */
  readonly from: 'next' | 'earliest'
  /**
   * `temporary`: the group, with all that waits in it, goes when its last member leaves, with the process at the latest;
   * one that nobody has joined yet stays until then. `durable` if absent. Needs the `temporaryGroups` capability; logs only.
   */
  readonly lifetime?: 'durable' | 'temporary' | undefined
}

/** What `declare` found and did. */
export interface TopologyReport {
  /** Channels and groups made by this call, as `channel` and `channel@group`. */
  readonly created: readonly string[]
  /** What exists with other settings than asked for. The core refuses to start on any. */
  readonly drift: readonly TopologyDrift[]
}

/** One setting that differs. */
export interface TopologyDrift {
  readonly name: string
  readonly setting: string
  readonly wanted: string
  readonly found: string
}

// ── Records ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A record as engines see it: opaque, but for what they need to move it. */
export interface OutgoingRecord {
  /**
   * Names the message; chosen by the publisher. A record may be published again under its id (a repetition, a redrive)
   * and is then delivered again: telling repetitions apart is the core's.
   */
  readonly id: string
  readonly channel: string
  /** Only this group of the channel gets it: retries, redrives. Needs the `groupAddress` capability. */
  readonly group?: string | undefined
  /** The ordering key: 1 to 1,024 bytes as UTF-8; a longer one is refused with INVALID_ARGUMENT, for this record alone. */
  readonly key?: string | undefined
  /**
   * CloudEvents context attributes other than those that are fields here (`id`, `partitionkey`, `deliverytime`,
   * `expirytime`, `priority`), names as in binary mode without prefix. The engine maps them to its protocol's binding.
   */
  readonly headers: Headers
  readonly body: Uint8Array
  /**
   * Not handed over before this wall-clock time, milliseconds since the epoch. The record joins its channel, and the
   * order of its key, when it is due.
   */
  readonly dueAtMs?: number | undefined
  /** Worth nothing from this wall-clock time on. The engine may leave checking to the core, and must not drop silently. */
  readonly expiresAtMs?: number | undefined
  /** 0 (lowest, and if absent) to the channel's `priorities` − 1; higher ones count as the highest. */
  readonly priority?: number | undefined
}

/** How one thing of a batch went. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: PosthasteError }

/** The outcome of everything that went well: one object, so that a batch of ten thousand costs one. */
export const succeeded: Outcome = Object.freeze({ ok: true })

// ── Subscriptions ───────────────────────────────────────────────────────────────────────────────────────────────────

/** Which group to join, as which member. */
export interface SubscriptionSpec {
  readonly channel: string
  readonly group: string
  /** Names the member within the group, for logs and leases. */
  readonly member: string
  /**
   * Only records that it accepts are delivered; the others are settled for the group, without an attempt and without a
   * delivery. The same for all members of a group: where members differ, which filter holds for a record is the engine's.
   * Only where the `filter` capability is native.
   */
  readonly filter?: RecordFilter | undefined
}

/**
 * Which records a group wants, as data for engines whose server evaluates it, and as a function for those that run in
 * this process. All that is given must hold.
 */
export interface RecordFilter {
  /** The header `tag` is one of these. */
  readonly tags?: readonly string[] | undefined
  /** Headers have these values: all of them, or at least one. */
  readonly headers?: HeaderMatch | undefined
  /** An expression over the attributes that must be true. @see CloudEvents SQL 1.0 */
  readonly sql?: string | undefined
  /** The same as a function. Never throws. */
  readonly accepts: (record: OutgoingRecord) => boolean
}

/** What headers must be like. */
export interface HeaderMatch {
  readonly match: 'all' | 'any'
  readonly values: Headers
}

/** Names one delivery within its subscription; never reused by it. */
export type DeliveryTag = number

/** One hand-over of a record to one member. May compute what is asked of it, so do not spread or clone it. */
export interface Delivery {
  readonly tag: DeliveryTag
  readonly record: OutgoingRecord
  /**
   * Hand-overs that counted, this one included: 1 the first time. Goes up with a release that counts and with a member
   * that vanished, never with a hand-back.
   */
  readonly attempt: number
  /** When the record was stored (published, where the server keeps no such time), milliseconds since the epoch. */
  readonly storedAtMs: number
  /** Where the record stands in its channel; opaque, and in text order within a key range where the engine has an order. */
  readonly position: string
  /** The key range it was read from, the same text in channels that are `alongside`. Absent where there are none. */
  readonly range?: string | undefined
}

/**
 * Where an engine puts deliveries: the core's side of a subscription. Never throws, never blocks. The engine calls it from
 * a turn of its own, never from within `grant`, `settle`, `publish` or `subscribe`.
 */
export interface DeliverySink {
  /** Takes a batch, in channel order per key. At most as many as credit was granted for. */
  deliver(batch: readonly Delivery[]): void
  /** These deliveries belong to somebody else by now; settling them is pointless and their handlers are told to stop. */
  lost(tags: readonly DeliveryTag[], reason: PosthasteError): void
  /** The subscription ended by itself: everything unsettled is lost. The core reports it and subscribes again. */
  closed(cause: PosthasteError): void
  /** Told of key ranges as they come and go; only used where `keyOrder` is `partitions`. */
  readonly ranges?: KeyRangeSink
}

/**
 * What a member must know about key ranges to keep the order of a key over a retry: which it reads, when it has seen all
 * that stood in them, and when it is about to lose them. @see ADR 0002
 */
export interface KeyRangeSink {
  /** This member reads these key ranges from now on. Before the first delivery of each. */
  assigned(ranges: readonly string[]): void
  /** Everything that stood in the range when it was assigned has been delivered. Once per assignment. */
  caughtUp(range: string): void
  /**
   * These ranges go to another member once their deliveries are settled: start no more of them, hand back what has not
   * started. The engine waits a bounded time and then calls `lost`.
   */
  recalled(ranges: readonly string[]): void
}

/** The engine's side of a subscription. */
export interface EngineSubscription {
  /**
   * Allows this many more deliveries, a positive whole number. How soon they come is the engine's: it may hand over what
   * it suspects of having killed a process alone. Credit is spent by `deliver` and by nothing else; a lost delivery is paid for again
   * like a settled one. Back-pressure, pause and an open breaker are credit that is not granted; there is no way to take
   * credit back short of `stop`.
   */
  grant(credit: number): void
  /**
   * Ends deliveries, with an outcome for each in the same order. `ok`: it is as durable as the engine can make it. Not
   * `ok`: it may or may not have happened, and the same settlement may be tried again without harm, unless the error is
   * `DELIVERY_LOST`. Settling twice is `DELIVERY_LOST`. An ack above an unsettled record is answered at once.
   */
  settle(batch: readonly Settlement[]): Promise<readonly Outcome[]>
  /** Keeps the leases of deliveries whose handlers still run. Only where `leaseMs` is finite. */
  extend(tags: readonly DeliveryTag[]): Promise<void>
  /**
   * Delivers nothing more and leaves the group; settlements under way are answered first, what is unsettled is handed
   * back and counts no attempt. Idempotent.
   */
  stop(): Promise<void>
  /** Pausing single key ranges; only where `keyOrder` is `partitions`. */
  readonly ranges?: KeyRangeControl
}

/** Pausing single key ranges, so that one whose parked work is at its bound does not stop the others. */
export interface KeyRangeControl {
  /** Delivers nothing more of these ranges, without giving them up. */
  pause(ranges: readonly string[]): void
  /** Delivers of them again. */
  resume(ranges: readonly string[]): void
}

/**
 * The end of one delivery. There are two, because everything else is made of them: a dead letter is an `ack` that
 * publishes the dead letter, a handler's own messages are an `ack` that publishes them, a retry is a `release`.
 */
export type Settlement = AckSettlement | ReleaseSettlement

/**
 * Done with the record. The records in `publish` stand before the delivery is gone: in one step where `atomicSettle` is
 * native, first the one and then the other elsewhere. If publishing fails, nothing is acknowledged.
 */
export interface AckSettlement {
  readonly kind: 'ack'
  readonly tag: DeliveryTag
  readonly publish?: readonly OutgoingRecord[] | undefined
}

/** Back to the group. */
export interface ReleaseSettlement {
  readonly kind: 'release'
  readonly tag: DeliveryTag
  /** Whether the next delivery has a higher attempt number. False for a hand-back: shutdown, pause, rebalance. */
  readonly countsAttempt: boolean
  /** Not before this wall-clock time, milliseconds since the epoch; at once if absent. Needs the `delay` capability. */
  readonly visibleAtMs?: number | undefined
  /**
   * Hold back later records of the same key in this group until this one is acknowledged, whatever releases come between,
   * also over a restart. Other keys go on.
   * Needs the `holdKey` capability; means nothing for a record without a key.
   */
  readonly holdKey?: boolean | undefined
}

// ── Optional capabilities ───────────────────────────────────────────────────────────────────────────────────────────

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
  /** The header `correlationid`. */
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
