import type { Outcome } from '@posthaste/contracts'

interface Place {
  readonly answer: Promise<unknown>
  outcomes: readonly Outcome[] | undefined
}

/** Passes on answers in the order of the questions, whatever order they come in. */
export class InOrder {
  readonly #tell: (outcomes: readonly Outcome[]) => void
  readonly #waiting: Place[] = []

  constructor(tell: (outcomes: readonly Outcome[]) => void) {
    this.#tell = tell
  }

  /** Another question. The answer must not reject. */
  add(answer: Promise<readonly Outcome[]>): void {
    const place: Place = { answer, outcomes: undefined }
    this.#waiting.push(place)
    void answer.then((outcomes) => {
      place.outcomes = outcomes
      while (this.#waiting[0]?.outcomes !== undefined) this.#tell(this.#waiting.shift()!.outcomes!)
    })
  }

  /** Resolves when all that was asked is answered. */
  async idle(): Promise<void> {
    for (let [place] = this.#waiting; place !== undefined; [place] = this.#waiting) await place.answer
  }
}
