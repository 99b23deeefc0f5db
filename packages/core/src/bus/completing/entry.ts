import type {
  AckSettlement,
  Delivery,
  DeliveryTag,
  MaybePromise,
  Outcome,
  OutgoingRecord,
  ReleaseSettlement,
  Timer,
} from '@posthaste/contracts'
import type { KeyChain } from './key-chain.ts'

/**
 * Where a record of a key range is.
 * - `ready`: in memory, until its time and its turn come.
 * - `saving`: its note is being written, and what the engine delivered acknowledged.
 * - `claiming`: that it is handed over is being noted.
 * - `inHand`: with the core.
 * - `ending`: the core is done with it, and the engine has not answered yet.
 * - `gone`: done, or somebody else's.
 */
export type Phase = 'ready' | 'saving' | 'claiming' | 'inHand' | 'ending' | 'gone'

/** What a record was delivered with. */
export type Source = Pick<Delivery, 'record' | 'storedAtMs' | 'position'>

/** The key range of an entry: what becomes of an entry, it is told. */
export interface EntryRange {
  readonly name: string
  /** Whether anything of it may still be handed over. */
  readonly isReading: boolean
  /** Something that is not parked is handed over. */
  handOver(entry: Entry): void
  /** Notes that something parked is handed over, and then tells so. */
  claim(entry: Entry): void
  /** It is handed over, and what stands behind it may follow. */
  claimed(entry: Entry): void
  /** What was claimed cannot be handed over after all. */
  unclaim(entry: Entry): void
  /** The engine has the acknowledgement of what it delivered. */
  acknowledged(entry: Entry): void
  /** The engine has taken back what it delivered, and nothing of it is noted. */
  takenBack(entry: Entry): void
  /** The core is done with something parked. */
  finish(entry: Entry, settlement: AckSettlement): Promise<Outcome>
  /** The core gives something back. */
  release(entry: Entry, settlement: ReleaseSettlement): MaybePromise<Outcome>
}

/** One record of a key range, from when it came until it is done. */
export class Entry {
  readonly range: EntryRange
  /** Its place among the records of its range. */
  readonly order: number
  readonly source: Source
  phase: Phase = 'ready'
  /** Of the hand-over that is under way, or the next. */
  attempt = 1
  vanished = 0
  /** Not handed over before; 0 for at once. */
  dueAtMs = 0
  /** Whether later records of the key wait until this one is done. */
  holds = false
  /** Its note; undefined for what was never parked. */
  note: string | undefined = undefined
  /** There while it is noted though it is in hand, until the engine has the acknowledgement of what it delivered. */
  noting: { readonly promise: Promise<void>; readonly resolve: () => void } | undefined = undefined
  /** What the engine delivered, while it waits for an answer. */
  raw: Delivery | undefined
  /** By which the core knows it. */
  tag: DeliveryTag = 0
  /** There unless it has never been anything but in hand. */
  chain: KeyChain | undefined = undefined
  timer: Timer | undefined = undefined

  constructor(range: EntryRange, order: number, from: { readonly source: Source; readonly raw: Delivery | undefined }) {
    this.range = range
    this.order = order
    this.source = from.source
    this.raw = from.raw
  }

  get key(): string | undefined {
    return this.source.record.key
  }

  /** Whether it ended so many processes that it runs alone. */
  get isSuspect(): boolean {
    return this.vanished >= aloneFrom
  }
}

/** From how many attempts on that ended with their process a record is handed over alone. */
export const aloneFrom = 2

/** A hand-over of an entry that is not the engine's own delivery as it came. */
export class OwnDelivery implements Delivery {
  readonly tag: DeliveryTag
  readonly record: OutgoingRecord
  readonly attempt: number
  readonly storedAtMs: number
  readonly position: string
  readonly range: string
  readonly vanished: number

  constructor(entry: Entry) {
    this.tag = entry.tag
    this.record = entry.source.record
    this.attempt = entry.attempt
    this.storedAtMs = entry.source.storedAtMs
    this.position = entry.source.position
    this.range = entry.range.name
    this.vanished = entry.vanished
  }
}
