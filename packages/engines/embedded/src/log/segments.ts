import { SegmentIndex } from './segment-index.ts'

/**
 * A run of consecutive offsets that a cursor looks at as one: a block some of whose records are settled, or any number
 * of neighbouring blocks all of whose records are.
 */
export class Segment {
  readonly first: number
  end: number
  /** Records not settled yet. */
  remaining: number
  /** A bit per record, set when settled; made when the first record is. */
  bits: Uint8Array | undefined
  /** Leading records known to be settled. */
  prefix = 0
  /** Whether the store has a row for it. */
  stored = false
  previous: Segment | undefined
  next: Segment | undefined

  constructor(first: number, end: number) {
    this.first = first
    this.end = end
    this.remaining = end - first
  }

  get count(): number {
    return this.end - this.first
  }

  get done(): boolean {
    return this.remaining === 0
  }

  has(offset: number): boolean {
    if (this.remaining === 0) return true
    const index = offset - this.first
    return this.bits !== undefined && (this.bits[index >> 3]! & (1 << (index & 7))) !== 0
  }

  /** Takes over the bits of an earlier process. */
  restore(bits: Uint8Array): void {
    this.bits = bits
    let settled = 0
    for (let index = 0; index < this.count; index++) if ((bits[index >> 3]! & (1 << (index & 7))) !== 0) settled++
    this.remaining = this.count - settled
  }

  /** Settles a record; false if it was settled before. */
  add(offset: number): boolean {
    if (this.has(offset)) return false
    const index = offset - this.first
    this.bits ??= new Uint8Array((this.count + 7) >> 3)
    this.bits[index >> 3]! |= 1 << (index & 7)
    this.remaining--
    return true
  }

  /** Moves `prefix` over everything that is settled from the start. */
  advancePrefix(): number {
    const { count, bits } = this
    if (this.remaining === 0) this.prefix = count
    else while (bits !== undefined && (bits[this.prefix >> 3]! & (1 << (this.prefix & 7))) !== 0) this.prefix++
    return this.prefix
  }
}

/** What a change to the list means for the rows of the store. */
export interface SegmentObserver {
  /** The segment's row is out of date. */
  changed(segment: Segment): void
  /** The segment is gone; so must be its row. */
  dropped(segment: Segment): void
}

/**
 * The segments of a cursor in order, without those below its floor. Neighbours that are done become one, so that the
 * list is as long as there are holes, however long one record stays unsettled.
 */
export class SegmentList {
  readonly #observer: SegmentObserver
  readonly #index = new SegmentIndex<Segment>()
  #head: Segment | undefined

  constructor(observer: SegmentObserver) {
    this.#observer = observer
  }

  get head(): Segment | undefined {
    return this.#head
  }

  /** The segment that begins at `first`, or the one of which it is a part; undefined if there is none. */
  find(first: number): Segment | undefined {
    const segment = this.#index.atOrBefore(first)
    return segment !== undefined && first < segment.end ? segment : undefined
  }

  /** The first segment that begins at or behind an offset. */
  following(offset: number): Segment | undefined {
    const before = this.#index.atOrBefore(offset - 1)
    return before === undefined ? this.#head : before.next
  }

  /** Puts a segment in its place. */
  insert(segment: Segment): void {
    const before = this.#index.atOrBefore(segment.first)
    this.#index.add(segment)
    segment.previous = before
    segment.next = before === undefined ? this.#head : before.next
    if (segment.next !== undefined) segment.next.previous = segment
    if (before === undefined) this.#head = segment
    else before.next = segment
  }

  /** Joins a segment that became done with its done neighbours. */
  merge(done: Segment): Segment {
    done.bits = undefined
    let merged = done
    const { previous } = done
    if (previous?.done && previous.end === done.first) {
      previous.end = done.end
      this.remove(done)
      merged = previous
    }
    const { next } = merged
    if (next?.done && next.first === merged.end) {
      merged.end = next.end
      this.remove(next)
    }
    this.#observer.changed(merged)
    return merged
  }

  /** Takes a segment out. */
  remove(segment: Segment): void {
    const { previous, next } = segment
    this.#index.delete(segment)
    if (previous !== undefined) previous.next = next
    else if (this.#head === segment) this.#head = next
    if (next !== undefined) next.previous = previous
    segment.previous = undefined
    segment.next = undefined
    this.#observer.dropped(segment)
  }
}
