import { type MaybePromise, PosthasteError } from '@posthaste/contracts'
import { urlOf } from '../connection/address.ts'
import type { LinkHost } from '../connection/options.ts'
import type { Pipe } from '../connection/pipe.ts'
import { connect } from './connect.ts'
import type { DialSettings } from './dial-options.ts'

/** What becomes of an attempt; one of the two is called once, and neither after it was given up. */
export interface AttemptOutcome {
  connected(pipe: Pipe, token: string | undefined): void
  failed(error: PosthasteError): void
}

/** One attempt to reach a server: asks for the token, then connects, within a bounded time. */
export class Attempt {
  readonly #settings: DialSettings
  readonly #outcome: AttemptOutcome
  #settled = false
  #abandon: (() => void) | undefined
  readonly #cancelTimer: () => void

  constructor(settings: DialSettings, host: LinkHost, outcome: AttemptOutcome) {
    this.#settings = settings
    this.#outcome = outcome
    const timer = host.clock.setTimer(settings.limits.handshakeMs, () => this.#failed(tookTooLong(settings)))
    this.#cancelTimer = () => timer.cancel()
    const { token } = settings
    if (typeof token === 'function') this.#ask(token)
    else this.#connect(token)
  }

  /** Gives it up. */
  cancel(): void {
    if (this.#settled) return
    this.#settle()
    this.#abandon?.()
  }

  #ask(token: () => MaybePromise<string>): void {
    // Called within a promise, so that a throw is a failure of the attempt too.
    const asked = Promise.resolve().then(token)
    asked.then(
      (said) => this.#connect(said),
      (thrown) => this.#failed(PosthasteError.from(thrown, 'UNAVAILABLE', 'the token could not be had')),
    )
  }

  #connect(token: string | undefined): void {
    if (this.#settled) return
    const { address, tls } = this.#settings
    try {
      this.#abandon = connect(address, tls, {
        connected: (pipe) => {
          this.#settle()
          this.#outcome.connected(pipe, token)
        },
        failed: (error) => this.#failed(error),
      })
    } catch (thrown) {
      // Later, because whoever has begun the attempt does not expect to hear of it yet.
      queueMicrotask(() => this.#failed(PosthasteError.from(thrown, 'UNAVAILABLE', urlOf(address))))
    }
  }

  #failed(error: PosthasteError): void {
    if (this.#settled) return
    this.cancel()
    this.#outcome.failed(error)
  }

  #settle(): void {
    this.#settled = true
    this.#cancelTimer()
  }
}

function tookTooLong({ address, limits }: DialSettings): PosthasteError {
  const what = `${urlOf(address)} did not answer within ${limits.handshakeMs} ms`
  return new PosthasteError('UNAVAILABLE', what, { notSent: true })
}
