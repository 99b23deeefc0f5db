import type { Headers } from './call.ts'
import type { EngineCapabilities } from './capabilities.ts'
import type { Clock, Log } from './clock.ts'
import type { Browsing, LagReading, Listing, Patterns, Preparing, Scheduling, Seeking } from './engine-abilities.ts'
import type { PosthasteError } from './error.ts'
import type { Outcome, OutgoingRecord } from './record.ts'
import type { Topology, TopologyReport } from './topology.ts'

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
  /** Telling which channels and groups there are; absent where the engine cannot. */
  readonly listing?: Listing
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
  /**
   * The key range it was read from; absent where there are none. In a key range `attempt` may be an upper bound: more than
   * 1 says that somebody may have had the record before, and the core counts with the notes of the range.
   */
  readonly range?: string | undefined
  /**
   * How many of the attempts ended with their member instead of a settlement; 0 if absent. Kept over releases of any kind,
   * and told by engines that do not isolate such suspects themselves (`suspects`), and for deliveries without a key range by
   * those that have ranges. One that ended so twice the core lets run alone: all else is given back uncounted before.
   */
  readonly vanished?: number | undefined
}

/**
 * Where an engine puts deliveries: the core's side of a subscription. Never throws, never blocks. The engine calls it from
 * a turn of its own, never from within `grant`, `settle`, `publish` or `subscribe`.
 */
export interface DeliverySink {
  /** Takes a batch, in channel order per key. At most as many as credit was granted for. */
  deliver(batch: readonly Delivery[]): void
  /** The subscription ended by itself: everything unsettled is lost. The core reports it and subscribes again. */
  closed(cause: PosthasteError): void
  /** These deliveries belong to somebody else by now; settling them is pointless and their handlers are told to stop. */
  lost(tags: readonly DeliveryTag[], reason: PosthasteError): void
  /**
   * The engine would have these back: what has not begun is handed back uncounted as soon as can be, in the order of its
   * key, and what runs ends as it does. Says nothing about when; a sink without it lets everything end as it does.
   */
  readonly recall?: (tags: readonly DeliveryTag[]) => void
  /** Told of key ranges as they come and go; only used where `keyOrder` is `partitions`. */
  readonly ranges?: KeyRangeSink
}

/**
 * What a member must know about key ranges to keep the order of a key over a retry: which it reads, what those who read
 * them before have noted, and when it is about to lose them. @see ADR 0005
 */
export interface KeyRangeSink {
  /**
   * This member reads the key range from now on, and `notes` is all that stands in it, in the order in which the names were
   * first written. Before the first delivery of the range; once per assignment.
   */
  assigned(range: string, notes: readonly Note[]): void
  /**
   * The range goes to another member: nothing more of it is delivered. The core ends what it has of it and calls
   * `giveUp`; an engine whose patience ends before calls `revoked`.
   */
  recalled(range: string): void
  /** The range belongs to somebody else by now, or nobody knows whose it is: all its deliveries are lost, and its notes. */
  revoked(range: string, reason: PosthasteError): void
}

/**
 * Something that is kept with a key range of a group for whoever reads it next: a record that waits outside of its channel.
 */
export interface Note {
  /** Unique in its range; 1 to 120 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string
  /**
   * As large as a record of the channel may be; what it says is only kept, not acted on. Its `group` tells that it stands for
   * a record which was addressed to the group, and that a seek spares it.
   */
  readonly record: OutgoingRecord
}

/** Writes a note, in place of the one of its name; or erases it, where there is no record. */
export interface NoteChange {
  readonly name: string
  readonly record: OutgoingRecord | undefined
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

/** What a member may do with the key ranges that it reads. */
export interface KeyRangeControl {
  /** Delivers nothing more of the range, without giving it up, so that one whose waiting work is at its bound stops no other. */
  pause(range: string): void
  /** Delivers of it again. */
  resume(range: string): void
  /**
   * Changes the notes of a range, in the order of the calls, and publishes `publish` before or, where `atomicSettle` is
   * native, in one step with it. Not ok: it may or may not have happened, wholly or in part, and may be tried again without
   * harm, unless the error is `DELIVERY_LOST`: the range is not this member's any more.
   */
  note(range: string, changes: readonly NoteChange[], publish?: readonly OutgoingRecord[]): Promise<Outcome>
  /** Answers `recalled`: everything of the range is settled and noted. Resolves once another member may have it. */
  giveUp(range: string): Promise<void>
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
