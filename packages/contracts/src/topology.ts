import type { Retention } from './contract.ts'

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
   * Levels of priority: records of a higher one are handed over first, those of one level in their order. 1 if absent, at
   * most `priorityLevels`. Not for keyed channels: the order of a key and priorities exclude each other.
   */
  readonly priorities?: number | undefined
  /**
   * For this many milliseconds after a record was stored, another one of its id is confirmed and not stored again, over
   * restarts too. At most `deduplicateForMsMax`; absent: never. A record that is addressed to one group (a redrive) is no
   * repetition. A scheduled record counts from when it was published, also if it is cancelled.
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
