/** Published and not handled yet, as a multiple of what is being published: a service that keeps up. */
export const backlogFactor = 4

/** Counts what is on its way, and makes publishers wait while that is too much. */
export class Backlog {
  readonly #max: number
  #open: (() => void) | undefined
  #room: Promise<void> | undefined
  size = 0

  constructor(max: number) {
    this.#max = max
  }

  /** More are on their way; if there was no room for them, that is waited for by whoever awaits the answer. */
  more(count = 1): Promise<void> | undefined {
    this.size += count
    if (this.size <= this.#max) return undefined
    this.#room ??= new Promise((resolve) => {
      this.#open = resolve
    })
    return this.#room
  }

  /** One has arrived. */
  less(): void {
    if (--this.size > this.#max / 2 || this.#open === undefined) return
    this.#open()
    this.#open = undefined
    this.#room = undefined
  }
}
