import type { Clock, PosthasteError, Timer } from '@posthaste/contracts'
import { errorOf, isReply } from './errors.ts'
import type { Link } from './link.ts'

/** What coming back needs. */
export interface ReopenerDeps {
  readonly link: Link
  readonly clock: Clock
  readonly random: () => number
}

/** Opens something again and again, as often as it is lost, until it is stopped or what it needs is gone. */
export class Reopener {
  readonly #deps: ReopenerDeps
  readonly #open: () => Promise<void>
  readonly #onHopeless: (cause: PosthasteError) => void
  #isRunning = false
  /** Since the last attempt began. */
  #isLost = false
  #isHopeless = false
  #isStopped = false
  #timer: Timer | undefined
  #wake: (() => void) | undefined

  constructor(deps: ReopenerDeps, open: () => Promise<void>, onHopeless: (cause: PosthasteError) => void) {
    this.#deps = deps
    this.#open = open
    this.#onHopeless = onHopeless
  }

  /** It is lost: opens it as soon as can be. */
  again(): void {
    if (this.#isStopped) return
    // Lost before it was quite open: it is not open when that ends.
    this.#isLost = true
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#run().finally(() => {
      this.#isRunning = false
      if (this.#isLost && !this.#isHopeless) this.again()
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#timer?.cancel()
    this.#wake?.()
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isStopped; failures += 1) {
      try {
        await this.#deps.link.up(foreverMs)
        this.#isLost = false
        await this.#open()
        return
      } catch (thrown) {
        if (this.#isStopped) return
        if (isReply(thrown, 'NOT_FOUND') || isReply(thrown, 'ACCESS_REFUSED')) {
          this.#isHopeless = true
          return this.#onHopeless(errorOf(thrown, 'consuming'))
        }
        await this.#pause(Math.min(pauseMsMax, pauseMs * 2 ** failures))
      }
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve
      this.#timer = this.#deps.clock.setTimer(ms * (0.5 + this.#deps.random() / 2), resolve)
    })
  }
}

const pauseMs = 50
const pauseMsMax = 5_000
const foreverMs = 2 ** 31 - 1
