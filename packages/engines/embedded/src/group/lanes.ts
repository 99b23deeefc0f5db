import type { Cursor } from '../log/cursor.ts'
import type { Entry } from './entry.ts'
import { Lane, type LaneCursors } from './lane.ts'
import type { Source } from './source.ts'

/** The levels of priority of a group, the highest first; one where the channel has no priorities. */
export class Lanes implements Iterable<Lane> {
  readonly #lanes: Lane[] = []

  /** Records that were read and go before anything new. */
  get readyCount(): number {
    let count = 0
    for (const lane of this.#lanes) count += lane.readyCount
    return count
  }

  [Symbol.iterator](): Iterator<Lane> {
    return this.#lanes.values()
  }

  /** Adds the level below those there are. */
  add(cursors: LaneCursors): Lane {
    const lane = new Lane(this.#lanes.length, cursors)
    this.#lanes.push(lane)
    return lane
  }

  /** The lane of an entry. */
  of(entry: Entry): Lane {
    return this.#lanes[entry.source.turn]!
  }

  /** How many records of higher levels take credit before those of a lane, those on their way to the disk included. */
  unreadAbove(lane: Lane): number {
    let count = 0
    for (const other of this.#lanes) {
      if (other === lane) break
      count += other.channel.unread + other.returns.unread
    }
    return count
  }

  /** Every log that the group reads. */
  *sources(): Generator<Source> {
    for (const { channel, returns } of this.#lanes) {
      yield channel
      yield returns
    }
  }

  /** The one of the channel's logs that a cursor reads. */
  sourceOf(cursor: Cursor): Source {
    return this.#lanes.find(({ channel }) => channel.cursor === cursor)!.channel
  }
}
