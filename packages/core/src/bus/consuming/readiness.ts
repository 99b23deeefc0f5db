import type { Filter, Timer } from '@posthaste/contracts'
import type { FilterDeps, FilterStack } from '../../pipeline/stack.ts'

const recheckMaxMs = 1_000

/**
 * Decides when a consumer is ready for work: not while a filter of its stack takes none (an open breaker, above all).
 * Asked before credit is granted and before a handler is started, so that a sick dependency pauses the queue instead of
 * failing its messages.
 */
export class Readiness {
  readonly #stack: FilterStack
  readonly #deps: FilterDeps
  readonly #resume: () => void
  readonly #gated: boolean
  /** Those that tell when they take something on again. */
  readonly #telling: readonly NonNullable<Filter['onceReady']>[]
  #timer: Timer | undefined = undefined
  #stopListening: readonly (() => void)[] = []
  #closed = false

  /** @param resume called when it is worth asking again */
  constructor(stack: FilterStack, deps: FilterDeps, resume: () => void) {
    this.#stack = stack
    this.#deps = deps
    this.#resume = resume
    this.#gated = stack.filters.some((filter) => filter.notReadyForMs !== undefined)
    this.#telling = stack.filters.flatMap((filter) => filter.onceReady?.bind(filter) ?? [])
  }

  /**
   * Hot path: a property, unless a filter of the stack has a say. While false, `resume` is going to be called. Asked anew
   * each time: a place that has become free is taken at once.
   */
  get ready(): boolean {
    if (!this.#gated) return true
    const waitMs = this.#stack.notReadyForMs()
    if (waitMs > 0) {
      if (!this.#closed) this.#wait(Math.min(waitMs, recheckMaxMs))
      return false
    }
    if (this.#stopListening.length > 0) this.#listenNoMore()
    return true
  }

  /** Calls `resume` no more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
    this.#listenNoMore()
  }

  /** Whoever listens already keeps its turn among those that wait for the same filter. */
  #wait(waitMs: number): void {
    this.#timer ??= this.#deps.timers.set(waitMs, () => {
      this.#timer = undefined
      this.#resume()
    })
    if (this.#stopListening.length > 0) return
    this.#stopListening = this.#telling.map((onceReady) =>
      onceReady(() => {
        this.#listenNoMore()
        this.#resume()
      }),
    )
  }

  #listenNoMore(): void {
    for (const stop of this.#stopListening) stop()
    this.#stopListening = []
  }
}
