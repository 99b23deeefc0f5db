/** Those that wait to be told that there is a place again, in the order in which they asked. */
export class Turns {
  /** Wrapped, so that a function that is given twice is called twice and can be taken back once. */
  readonly #waiting = new Set<{ readonly wake: () => void }>()

  /** Has `wake` called once, in its turn. @returns takes it back */
  add(wake: () => void): () => void {
    const turn = { wake }
    this.#waiting.add(turn)
    return () => {
      this.#waiting.delete(turn)
    }
  }

  /** There is a place: tells whoever has been waiting for longest. Hot path where nobody does. */
  next(): void {
    if (this.#waiting.size === 0) return
    for (const turn of this.#waiting) {
      this.#waiting.delete(turn)
      quietly(turn.wake)
      return
    }
  }
}

function quietly(wake: () => void): void {
  try {
    wake()
  } catch {
    // The call that has ended cannot help it, and must end as it did.
  }
}
