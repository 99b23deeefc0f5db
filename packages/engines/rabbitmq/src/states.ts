import type { EngineHost, PosthasteError } from '@posthaste/contracts'
import { fail } from './errors.ts'
import type { LinkEvents } from './link.ts'

/** Makes one state of that of two connections, and tells when it changes. */
export class EngineStates {
  /** The connection that consumes is back, and what went with it is to be made again. */
  onRenewed: () => void = () => {}
  readonly #host: EngineHost
  readonly #down = new Map<string, PosthasteError>()
  readonly #blocked = new Map<string, PosthasteError>()
  readonly #silent = new Map<string, PosthasteError>()
  #isOpen = false

  constructor(host: EngineHost) {
    this.#host = host
  }

  eventsOf(what: 'publishing' | 'consuming'): LinkEvents {
    return {
      onUp: () => {
        this.#blocked.delete(what)
        if (!this.#down.delete(what)) return
        if (what === 'consuming') this.onRenewed()
        this.#tell()
      },
      onDown: (cause) => {
        this.#down.set(what, cause)
        this.#tell()
      },
      onBlocked: (reason) => {
        if (reason === undefined) this.#blocked.delete(what)
        else this.#blocked.set(what, fail('OVERLOADED', `the server takes nothing for now: ${reason}`))
        this.#tell()
      },
    }
  }

  /** A queue does not answer, or does again. */
  silent(queue: string, cause: PosthasteError | undefined): void {
    if (cause === undefined) this.#silent.delete(queue)
    else {
      this.#silent.set(queue, cause)
      this.#host.log.warn(cause.message, { queue, remedy: cause.remedy })
    }
    this.#tell()
  }

  opened(): void {
    this.#isOpen = true
    this.#tell()
  }

  closed(): void {
    this.#isOpen = false
  }

  #tell(): void {
    if (!this.#isOpen) return
    const [down] = this.#down.values()
    const [blocked] = [...this.#blocked.values(), ...this.#silent.values()]
    if (down !== undefined) this.#host.onState('lost', down)
    else if (blocked !== undefined) this.#host.onState('degraded', blocked)
    else this.#host.onState('connected')
  }
}
