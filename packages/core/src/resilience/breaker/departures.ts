/**
 * Since when what is known of a key is all there is to know: calls that were admitted earlier began under a circuit that was
 * forgotten since. Departures are remembered by key for a turn at least, and later ones for all keys together: what is
 * longer under way than that cannot be told apart any more.
 */
export class Departures {
  readonly #keysMax: number
  #recent = new Map<string, number>()
  #earlier = new Map<string, number>()
  #turnedEpoch = 0
  #floor = 0

  /** Remembers twice as many keys at most. */
  constructor(keysMax: number) {
    this.#keysMax = keysMax
  }

  /** The circuit of a key was forgotten in an epoch, which is higher than those of all calls until then. */
  note(key: string, epoch: number): void {
    if (this.#recent.size >= this.#keysMax) this.turn(epoch - 1)
    this.#recent.set(key, epoch)
  }

  /** The lowest epoch of which it is certain that no circuit of the key was forgotten since. */
  certainFrom(key: string): number {
    return Math.max(this.#recent.get(key) ?? this.#earlier.get(key) ?? 0, this.#floor)
  }

  /** Forgets the keys of the turn before this one; `epoch` is the last that was begun. */
  turn(epoch: number): void {
    if (this.#earlier.size > 0) this.#floor = this.#turnedEpoch
    this.#earlier = this.#recent
    this.#recent = new Map()
    this.#turnedEpoch = epoch
  }
}
