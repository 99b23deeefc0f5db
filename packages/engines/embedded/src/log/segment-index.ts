/** Something at an offset that does not change while it is in the index. */
export interface Placed {
  readonly first: number
}

/** A chunk that has become longer is cut in two. */
const chunkMax = 512

/**
 * Finds by offset among things in order. Chunks of an array each: adding and taking out moves a few hundred places at most,
 * though a hundred thousand records that wait for their retries may each leave a hole of its own.
 */
export class SegmentIndex<T extends Placed> {
  readonly #chunks: T[][] = []

  /** The last one that begins at or before an offset. */
  atOrBefore(offset: number): T | undefined {
    const chunk = this.#chunks[this.#chunkOf(offset)]
    return chunk?.[lastAtOrBefore(chunk, offset)]
  }

  /** Puts one in its place; there must be none at its offset. */
  add(item: T): void {
    const at = Math.max(0, this.#chunkOf(item.first))
    const chunk = this.#chunks[at]
    if (chunk === undefined) {
      this.#chunks.push([item])
      return
    }
    chunk.splice(lastAtOrBefore(chunk, item.first) + 1, 0, item)
    if (chunk.length > chunkMax) this.#chunks.splice(at + 1, 0, chunk.splice(chunkMax / 2))
  }

  /** Takes one out. Does nothing for one that is not in it. */
  delete(item: T): void {
    const at = this.#chunkOf(item.first)
    const chunk = this.#chunks[at]
    if (chunk === undefined) return
    const index = lastAtOrBefore(chunk, item.first)
    if (chunk[index] !== item) return
    chunk.splice(index, 1)
    if (chunk.length === 0) this.#chunks.splice(at, 1)
  }

  /** The last chunk that begins at or before an offset; -1 if all begin behind it. */
  #chunkOf(offset: number): number {
    let low = 0
    let high = this.#chunks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#chunks[middle]![0]!.first <= offset) low = middle + 1
      else high = middle
    }
    return low - 1
  }
}

function lastAtOrBefore(chunk: readonly Placed[], offset: number): number {
  let low = 0
  let high = chunk.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (chunk[middle]!.first <= offset) low = middle + 1
    else high = middle
  }
  return low - 1
}
