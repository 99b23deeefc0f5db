import type { Stream } from './stream.ts'

/**
 * The streams that run on a connection, by their ids. Whoever opens streams counts upwards, so the low bits of an id are a
 * place in an array, and only a stream that runs for longer than as many others as there are places has to move out of the
 * way. A `Map` would be right as well, but not fast: when it grows or tidies itself, the table it leaves behind refers to
 * the next. Once a single such table has come to the old generation, every later one outlives its young collection too,
 * with all that it held: a collection then takes ten times as long, for as long as the process lives.
 */
export class StreamTable {
  /** As many as a power of two. */
  #places: (Stream | undefined)[] = []
  /** Those whose places were needed. */
  readonly #displaced = new Map<number, Stream>()
  #size = 0

  get size(): number {
    return this.#size
  }

  get(id: number): Stream | undefined {
    const stream = this.#places[id & (this.#places.length - 1)]
    if (stream !== undefined && stream.id === id) return stream
    return this.#displaced.size === 0 ? undefined : this.#displaced.get(id)
  }

  /** Takes a stream in, whose id no other has. */
  add(stream: Stream): void {
    if (this.#size >= this.#places.length / 2) this.#grow()
    this.#size++
    this.#place(stream)
  }

  /** Does nothing where it is not in here. */
  delete(stream: Stream): void {
    const at = stream.id & (this.#places.length - 1)
    if (this.#places[at] === stream) this.#places[at] = undefined
    else if (!this.#displaced.delete(stream.id)) return
    this.#size--
    // What a burst has needed is not kept.
    if (this.#size === 0 && this.#places.length > placesKeptMax) this.#places = []
  }

  /** All of them as they are now, in the order in which they were opened. */
  all(): Stream[] {
    const placed = this.#places.filter((stream) => stream !== undefined)
    return [...this.#displaced.values(), ...placed].sort((one, other) => one.id - other.id)
  }

  #place(stream: Stream): void {
    const at = stream.id & (this.#places.length - 1)
    const before = this.#places[at]
    if (before !== undefined) this.#displaced.set(before.id, before)
    this.#places[at] = stream
  }

  #grow(): void {
    const all = this.all()
    this.#places = new Array(Math.max(placesMin, this.#places.length * 2)).fill(undefined)
    this.#displaced.clear()
    for (const stream of all) this.#place(stream)
  }
}

const placesMin = 8

const placesKeptMax = 1024
