/** What a watching is, and what it holds. */
export interface WatchInit {
  readonly pattern: string
  readonly stop: () => void
  /** Gives back the place that it takes. */
  readonly giveBack: () => void
}

/** Somebody is told of the channels of a pattern; or was, and somebody stands for who may come back. */
export class Watch {
  readonly pattern: string
  /** Its connection is lost, and it was not begun over another yet. */
  isOrphan = false
  readonly #stop: () => void
  #giveBack: () => void

  constructor({ pattern, stop, giveBack }: WatchInit) {
    this.pattern = pattern
    this.#stop = stop
    this.#giveBack = giveBack
  }

  /** Its place, for the one that comes instead of it. */
  handOver(): () => void {
    const giveBack = this.#giveBack
    this.#giveBack = () => {}
    return giveBack
  }

  end(): void {
    this.#giveBack()
    this.#stop()
  }
}

/** The watchings of a session, by the numbers that the client gives them. */
export class Watchings {
  readonly #watches = new Map<number, Watch>()
  readonly #unwatched: (pattern: string) => void

  /** @param unwatched told when nobody of the session watches a pattern any more */
  constructor(unwatched: (pattern: string) => void) {
    this.#unwatched = unwatched
  }

  get numbers(): readonly number[] {
    return [...this.#watches.keys()]
  }

  get(number: number): Watch | undefined {
    return this.#watches.get(number)
  }

  /** Watches from here on in place of the one of that number: who is back needs nobody any more to stand for it. */
  begin(number: number, init: WatchInit): Watch {
    const watch = new Watch(init)
    const before = this.#watches.get(number)
    this.#watches.set(number, watch)
    if (before !== undefined) this.#over(before)
    return watch
  }

  /** A pattern that seems to be watched keeps its groups for ever. */
  end(number: number): void {
    const watch = this.#watches.get(number)
    this.#watches.delete(number)
    if (watch !== undefined) this.#over(watch)
  }

  /** Ends it, unless another is in its place, or it never began. */
  endOne(watch: Watch | undefined): void {
    for (const [number, each] of this.#watches) if (each === watch) this.end(number)
  }

  endAll(): void {
    for (const number of this.numbers) this.end(number)
  }

  /** Those that nobody has begun again. */
  get orphans(): readonly Watch[] {
    return [...this.#watches.values()].filter(({ isOrphan }) => isOrphan)
  }

  #over(watch: Watch): void {
    watch.end()
    for (const { pattern } of this.#watches.values()) if (pattern === watch.pattern) return
    this.#unwatched(watch.pattern)
  }
}
