import type { Outcome } from '@posthaste/contracts'

/** Passes on answers in the order of the questions, whatever order they come in. */
export class InOrder {
  readonly #tell: (outcomes: readonly Outcome[]) => void
  readonly #waiting: { outcomes: readonly Outcome[] | undefined }[] = []

  constructor(tell: (outcomes: readonly Outcome[]) => void) {
    this.#tell = tell
  }

  /** Another question. The answer must not reject. */
  add(answer: Promise<readonly Outcome[]>): void {
    const place: { outcomes: readonly Outcome[] | undefined } = { outcomes: undefined }
    this.#waiting.push(place)
    void answer.then((outcomes) => {
      place.outcomes = outcomes
      while (this.#waiting[0]?.outcomes !== undefined) this.#tell(this.#waiting.shift()!.outcomes!)
    })
  }
}
