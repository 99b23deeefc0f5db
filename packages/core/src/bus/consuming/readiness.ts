import type { Timer } from '@posthaste/contracts'
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
  #timer: Timer | undefined = undefined
  #closed = false

  /** @param resume called when it is worth asking again */
  constructor(stack: FilterStack, deps: FilterDeps, resume: () => void) {
    this.#stack = stack
    this.#deps = deps
    this.#resume = resume
    this.#gated = stack.filters.some((filter) => filter.notReadyForMs !== undefined)
  }

  /** Hot path: a property, unless a filter of the stack has a say. While false, `resume` is going to be called. */
  get ready(): boolean {
    if (!this.#gated) return true
    if (this.#timer !== undefined) return false
    const waitMs = this.#stack.notReadyForMs()
    if (waitMs <= 0) return true
    if (!this.#closed) this.#timer = this.#deps.timers.set(Math.min(waitMs, recheckMaxMs), () => this.#wake())
    return false
  }

  /** Calls `resume` no more. */
  close(): void {
    this.#closed = true
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #wake(): void {
    this.#timer = undefined
    this.#resume()
  }
}
