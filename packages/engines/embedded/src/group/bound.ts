import { capabilities } from '../features.ts'

/** A full group is told to be one no more when it holds clearly less, so that it is not told at each acknowledgement. */
const relievedBelow = capabilities.unsettledMax * 0.9

/** How many records a group may hold in memory, in hand or waiting, and whether it has come to that. */
export class Bound {
  readonly #onFull: (held: number, full: boolean) => void
  #reached = false

  constructor(onFull: (held: number, full: boolean) => void) {
    this.#onFull = onFull
  }

  /** Whether it was full when it was last looked at, and has not been relieved since. */
  get reached(): boolean {
    return this.#reached
  }

  /** Whether a group that holds this many must read nothing new. */
  isFullAt(held: number): boolean {
    const full = held >= capabilities.unsettledMax
    if (full !== this.#reached && (full || held < relievedBelow)) {
      this.#reached = full
      this.#onFull(held, full)
    }
    return full
  }
}
