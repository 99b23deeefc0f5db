/**
 * Since when what is known of a key is all there is to know: calls that were admitted earlier began under a circuit that was
 * forgotten since, in a state that it had left. Departures are remembered by key for a turn at least, and later for all keys
 * together: what is longer under way than that cannot be told apart any more.
 */
export class Departures {
  readonly #keysMax: number
  #recent = new Map<string, number>()
  #earlier = new Map<string, number>()
  #recentMax = 0
  #earlierMax = 0
  #floor = 0

  /** Remembers twice as many keys at most. */
  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  /** The circuit of a key was forgotten: from this epoch on it was closed. */
  note(key: string, epoch: number): void {
    if (this.#recent.size >= this.#keysMax) this.turn()
    this.#recent.set(key, epoch)
    this.#recentMax = Math.max(this.#recentMax, epoch)
  }

  /** The lowest epoch of which it is certain that the key has been closed ever since, or has a circuit that knows. */
  certainFrom(key: string): number {
    return Math.max(this.#recent.get(key) ?? this.#earlier.get(key) ?? 0, this.#floor)
  }

  /** Forgets the keys that were noted before the last turn. */
  turn(): void {
    this.#floor = Math.max(this.#floor, this.#earlierMax)
    this.#earlier = this.#recent
    this.#earlierMax = this.#recentMax
    this.#recent = new Map()
    this.#recentMax = 0
  }
}
