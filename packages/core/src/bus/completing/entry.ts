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

/**
 * The records of one key that are anything but simply in hand, in the order of the key. A record without a key has a chain
 * of its own.
 */
export class KeyChain {
  readonly key: string | undefined
  readonly #entries: Entry[] = []

  constructor(key: string | undefined) {
    this.key = key
  }

  get isEmpty(): boolean {
    return this.#entries.length === 0
  }

  get entries(): readonly Entry[] {
    return this.#entries
  }

  add(entry: Entry): void {
    const entries = this.#entries
    let at = entries.length
    // Nearly always the last: only what comes back from the core has successors.
    while (at > 0 && entries[at - 1]!.order > entry.order) at -= 1
    entries.splice(at, 0, entry)
    entry.chain = this
  }

  remove(entry: Entry): void {
    const at = this.#entries.indexOf(entry)
    if (at >= 0) this.#entries.splice(at, 1)
    entry.chain = undefined
  }

  /** Whether something before it holds the key. */
  isHeldBefore({ order }: Entry): boolean {
    for (const entry of this.#entries) {
      if (entry.order >= order) return false
      if (entry.holds) return true
    }
    return false
  }

  /** What waits before it in memory alone, in its order: there is none before what is noted. */
  readyBefore(entry: Entry): readonly Entry[] {
    const entries = this.#entries
    const ready: Entry[] = []
    for (let at = entries.lastIndexOf(entry) - 1; at >= 0; at -= 1) {
      const earlier = entries[at]!
      if (earlier.note !== undefined) break
      if (earlier.phase === 'ready') ready.push(earlier)
    }
    return ready.reverse()
  }

  /** What is to be handed over next; undefined where all waits, for its time or for what is before it. */
  next(nowMs: number): Entry | undefined {
    let isClaiming = false
    let isWithCore = false
    for (const entry of this.#entries) {
      const { phase, note, holds, dueAtMs } = entry
      if (phase === 'ready' && dueAtMs <= nowMs) {
        // Claims are made in their order; what need not be claimed would overtake them. And what runs alone would overtake
        // what is given back before it.
        const isEarly = (isClaiming && note === undefined) || (isWithCore && entry.isSuspect)
        return isEarly ? undefined : entry
      }
      if (holds || (phase === 'saving' && dueAtMs <= nowMs)) return undefined
      if (phase === 'claiming') isClaiming = true
      if (phase !== 'ready' && phase !== 'saving') isWithCore = true
    }
    return undefined
  }
}

/** What is in hand of the key of an entry, came before it, and was never noted; in its order. */
export function inHandBefore({ key, order, range }: Entry, inHand: Iterable<Entry>): readonly Entry[] {
  if (key === undefined) return []
  const before: Entry[] = []
  for (const other of inHand) {
    if (other.key !== key || other.order >= order || other.range !== range) continue
    if (other.note === undefined && other.phase === 'inHand') before.push(other)
  }
  return before.sort((a, b) => a.order - b.order)
}
