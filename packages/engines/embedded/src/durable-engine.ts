import type {
  Delivery,
  DeliverySink,
  DeliveryTag,
  Engine,
  EngineSubscription,
  PreparedRecord,
  Preparing,
  SubscriptionSpec,
  Topology,
} from '@posthaste/contracts'

/** An engine on a disk of this machine, with what its operator may ask of it alone. */
export interface DurableEngine extends Engine {
  /** As any engine, for a member that may be of another process. */
  subscribe(spec: DurableSubscriptionSpec, sink: DeliverySink): Promise<DurableSubscription>

  /** As of any engine; what waits can be told page by page. */
  readonly preparing: DurablePreparing

  /**
   * The channels and groups that there are, in the order in which they were made; those of patterns among them.
   * @throws ENGINE_CLOSED ENGINE_WRITE_FAILED
   */
  topology(): Topology

  /**
   * Goes on after a write has failed, once the disk is well again: reads anew what stands in the directory, and shows by a
   * durable write that it can be written. What was confirmed stands, what was refused may be published again. The
   * subscriptions have ended with the failure; members subscribe again, as the bus does by itself. Does nothing on an
   * engine that has not failed; calls at the same time are one.
   *
   * @throws ENGINE_WRITE_FAILED while the disk cannot be written, or the store does not let go of its file; nothing is lost
   *   by calling it again
   * @throws ENGINE_CLOSED before `open` and after `close`
   * @throws ENGINE_LOCKED when another process has taken the directory meanwhile
   */
  resume(): Promise<void>

  /**
   * Copies everything, as one moment had it, into a directory; publishers and consumers go on meanwhile. What was
   * confirmed before the call is in it. To restore it, open an engine on the copy: that begins as after a crash at that
   * moment. Several may be taken at a time; `close` waits for them. While one is taken, no space of the original is used again.
   *
   * @param dir on a local file system; made if it does not exist. What stands there when it resolves is whole and durable
   * @throws FAILED_PRECONDITION when the directory is not empty
   * @throws INVALID_ARGUMENT when it is no path
   * @throws UNAVAILABLE when the copy cannot be written; nothing of it is left then
   * @throws ENGINE_CLOSED ENGINE_WRITE_FAILED
   */
  snapshot(dir: string): Promise<void>
}

/** A place in the order in which prepared records are asked about, whether or not one stands there. */
export interface PreparedPlace {
  readonly id: string
  readonly checkAtMs: number
}

/** Half messages, page by page. */
export interface DurablePreparing extends Preparing {
  /**
   * What waits in a channel, from the front or from behind a place: where fewer than `limit` are told, there are no more. One
   * that was postponed meanwhile stands behind its earlier place, and may be told again.
   * @param limit 1 to 10,000
   */
  prepared(channel: string, limit: number, after?: PreparedPlace): Promise<readonly PreparedRecord[]>
}

/** Which group to join, as which member, and how much that may hold. */
export interface DurableSubscriptionSpec extends SubscriptionSpec {
  /**
   * What is in the member's hands stays in memory until it is settled or let go of: beyond so many bytes (of bodies, and 400 for
   * each record) nothing more is handed over, however much credit there is. One record always is. Unlimited if absent.
   */
  readonly bytesInHandMax?: number | undefined
}

/** A member's subscription, for who stands in for the member. */
export interface DurableSubscription extends EngineSubscription {
  /**
   * The member's process has ended without a word: it leaves, and what it had in hand counts as an attempt. What was in hand
   * when two processes ended is handed over alone from then on, so that it takes nothing else with it. As idempotent as
   * `stop`, and does nothing after it.
   */
  vanish(): Promise<void>
  /**
   * Lets go of the body of a record in the member's hands: it is empty from here on, and no longer in memory. For who has sent
   * it on; nothing else changes, and whoever is handed the record next has all of it.
   */
  letGo(tag: DeliveryTag): void
  /**
   * Reads the body again that was let go of.
   * @returns false where it is damaged, or not in the member's hands
   */
  restore(tag: DeliveryTag): boolean
  /** What is in the member's hands, in the order of its delivery. */
  held(): Iterable<Delivery>
}
