import type { Cursor } from '../log/cursor.ts'
import { type Entry, isBefore } from './entry.ts'
import { Source } from './source.ts'

/**
 * One level of priority as a group reads it: the channel's log of that level, the log of what is addressed to the group
 * alone, and what was read from either and could not be delivered. A channel without priorities has one.
 */
export class Lane {
  channel: Source
  readonly returns: Source
  readonly #ready: Entry[] = []
  #sorted = true

  constructor(turn: number, cursors: LaneCursors) {
    this.channel = new Source(cursors.channel, { turn, rank: 0 })
    this.returns = new Source(cursors.returns, { turn, rank: 1 })
  }

  /** Whether all that is durable has been read and delivered. */
  get isExhausted(): boolean {
    return this.#ready.length === 0 && this.channel.isExhausted && this.returns.isExhausted
  }

  /** How many go before anything new. */
  get readyCount(): number {
    return this.#ready.length
  }

  /** What goes before anything new, in order. */
  get ready(): readonly Entry[] {
    if (!this.#sorted) this.#ready.sort((a, b) => (isBefore(a, b) ? -1 : 1))
    this.#sorted = true
    return this.#ready
  }

  /** It was read, and goes before anything new. */
  makeReady(entry: Entry): void {
    this.#ready.push(entry)
    this.#sorted = false
  }

  /** Nothing was read yet, as of a place in the channel. */
  begin(cursor: Cursor): void {
    const { turn, rank } = this.channel
    this.channel = new Source(cursor, { turn, rank })
    this.#ready.length = 0
  }

  /** The first of the ready ones are taken care of. */
  shiftReady(count: number): void {
    this.#ready.splice(0, count)
  }
}

/** How far a group is in the two logs of a lane. */
export interface LaneCursors {
  readonly channel: Cursor
  readonly returns: Cursor
}
