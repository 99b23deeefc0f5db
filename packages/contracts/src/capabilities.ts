/**
 * Whether an engine does something by itself, durably, by whatever means its server offers. What it does not, the core
 * emulates durably or refuses with `CAPABILITY_UNSUPPORTED` before anything starts; it is never ignored.
 */
export type Support = 'native' | 'none'

/**
 * What an engine can do, as data: the core decides by it, the conformance kit tests by it, the documentation prints it.
 * A declared capability must work; a limit must be the real one. Final once `Engine.open` has resolved: before that, what
 * the options alone promise, since some depends on the server that answers.
 */
export interface EngineCapabilities {
  /** What a confirmed publish has survived when its promise resolves. `none` is for tests. */
  readonly durability: 'disk' | 'replicas' | 'none'
  /** Largest body of one record, in bytes. This and `headerBytesMax` hold at the same time, in every channel. */
  readonly bodyBytesMax: number
  /** Largest total of header names and values of one record, in bytes. */
  readonly headerBytesMax: number
  /**
   * How records of one key keep their order among competing members of a group. `engine`: one feed, in channel order.
   * `partitions`: key ranges, each with one reader, and notes that are kept with them. `none`: the core must not offer
   * keyed channels.
   */
  readonly keyOrder: 'engine' | 'partitions' | 'none'
  /** Whether a release may hold back the later records of its key (`holdKey`). Otherwise the core parks them in notes. */
  readonly holdKey: Support
  /** Whether a record may become visible later: `dueAtMs` when publishing, `visibleAtMs` when releasing. */
  readonly delay: Support
  /**
   * How late a due record may be handed over on an idle engine, in milliseconds; 0 where `delay` is `none`. What is due
   * closer together may join its channel in any order.
   */
  readonly delayPrecisionMs: number
  /** Whether an acknowledgement and the records published with it stand or fall together. Otherwise: publish, then ack. */
  readonly atomicSettle: Support
  /** Whether records can be addressed to one group of a channel (`OutgoingRecord.group`), as retries and redrives need. */
  readonly groupAddress: Support
  /**
   * What `Delivery.attempt` is worth after a crash of the process or the engine. `exact`: as documented there.
   * `hand-overs`: it survives, but hand-backs are counted too, so it is an upper bound and only a suspicion.
   * `none`: it starts at 1 again. Says nothing about deliveries of key ranges, where the core counts with notes; with
   * `none`, every delivery is of one.
   */
  readonly attempts: 'exact' | 'hand-overs' | 'none'
  /**
   * Who sees to it that a record that ends its process each time takes no others with it. `isolated`: the engine, which
   * hands over one such suspect at a time; also if absent. `told`: the core, by `Delivery.vanished`. Says nothing about
   * engines with key ranges, where it is always the core.
   */
  readonly suspects?: 'isolated' | 'told' | undefined
  /** Whether a `log` keeps settled records as `retention` asks, and a new group may begin at the `earliest`. */
  readonly history: Support
  /** Most priority levels that a channel may have; 1 means none. */
  readonly priorityLevels: number
  /** Whether records that a subscription's filter refuses are not delivered. Otherwise the core acknowledges them unseen. */
  readonly filter: Support
  /** Whether groups may follow every channel whose name matches a pattern, those made later included (`Engine.patterns`). */
  readonly patterns: Support
  /** Whether groups may go with their last member (`GroupSpec.lifetime`). */
  readonly temporaryGroups: Support
  /** Longest time, in milliseconds, for which a channel may recognise repeated ids (`ChannelSpec.deduplicateForMs`); 0: not at all. */
  readonly deduplicateForMsMax: number
  /** Milliseconds until an unsettled delivery is given to somebody else; `Infinity` where it stays while the member lives. */
  readonly leaseMs: number
  /** Longest time a delivery may stay unsettled however often it is extended; `Infinity` where there is no such limit. */
  readonly unsettledMsMax: number
  /** Most deliveries that one subscription may have unsettled, held and parked ones included. */
  readonly unsettledMax: number
}
