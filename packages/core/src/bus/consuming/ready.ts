import { Fifo } from './fifo.ts'
import type { Work } from './work.ts'

/** Deliveries that have their turn and wait for a handler. */
export interface Ready {
  readonly length: number
  push(work: Work): void
  /** Takes the next one out. */
  shift(): Work | undefined
}

/** What is ready in a channel of so many levels of priority. One level costs nothing. */
export function readyOf(levels: number): Ready {
  return levels === 1 ? new Fifo<Work>() : new ByPriority(levels)
}

/** The highest level first, each level in its order. */
class ByPriority implements Ready {
  readonly #levels: readonly Fifo<Work>[]
  #length = 0

  constructor(levels: number) {
    this.#levels = Array.from({ length: levels }, () => new Fifo<Work>())
  }

  get length(): number {
    return this.#length
  }

  push(work: Work): void {
    const highest = this.#levels.length - 1
    const { priority = 0 } = work.record
    // What others have published may have any number.
    const level = Number.isInteger(priority) ? Math.min(Math.max(priority, 0), highest) : 0
    this.#levels[level]!.push(work)
    this.#length += 1
  }

  shift(): Work | undefined {
    for (let level = this.#levels.length - 1; level >= 0; level--) {
      const work = this.#levels[level]!.shift()
      if (work === undefined) continue
      this.#length -= 1
      return work
    }
    return undefined
  }
}
