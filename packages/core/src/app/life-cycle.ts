import { type Log, PosthasteError } from '@posthaste/contracts'

/** Something that is started with the application, and closed with it. */
export interface Part {
  readonly name: string
  start(): Promise<void>
  /** @param graceMs how long running work may go on */
  close(graceMs: number): Promise<void>
}

/** Where an application stands in its life. There is no way back. */
export type AppState = 'new' | 'starting' | 'running' | 'closing' | 'closed'

/** What a life cycle runs by. */
export interface LifeCycleInit {
  /** In the order of starting; closed in reverse. */
  readonly parts: readonly Part[]
  /** Finds everything that is wrong before any part is started. */
  readonly check: () => void
  readonly graceMs: number
  readonly monotonicMs: () => number
  readonly log: Log
}

/** Starts parts in order and closes them in reverse, each once, whatever is called how often. */
export class LifeCycle {
  readonly #init: LifeCycleInit
  readonly #started: Part[] = []
  #state: AppState = 'new'
  #start: Promise<void> | undefined
  #close: Promise<void> | undefined

  constructor(init: LifeCycleInit) {
    this.#init = init
  }

  get state(): AppState {
    return this.#state
  }

  /**
   * Starts everything; where a part fails, what was started is closed again and the failure is thrown. Idempotent.
   * @throws whatever the check or a part throws; ENGINE_CLOSED once closed
   */
  start(): Promise<void> {
    this.#start ??= this.#close === undefined ? this.#startAll() : Promise.reject(wasClosed())
    return this.#start
  }

  /** Closes everything that was started, also when it is just starting. Idempotent. */
  close(): Promise<void> {
    this.#close ??= this.#closeAll()
    return this.#close
  }

  async #startAll(): Promise<void> {
    this.#state = 'starting'
    try {
      this.#init.check()
      for (const part of this.#init.parts) {
        // Begun is enough: a part that fails half-way is told to close as well.
        this.#started.push(part)
        await part.start()
        if (this.#close !== undefined) throw wasClosed()
      }
      this.#state = 'running'
    } catch (error) {
      await this.#closeStarted().catch(() => undefined)
      this.#state = 'closed'
      throw error
    }
  }

  async #closeAll(): Promise<void> {
    if (this.#state === 'starting') await this.#start?.catch(() => undefined)
    this.#state = 'closing'
    try {
      await this.#closeStarted()
    } finally {
      this.#state = 'closed'
    }
  }

  /** The grace is for all parts together: who waits for the application waits for its sum. */
  async #closeStarted(): Promise<void> {
    const { graceMs, monotonicMs, log } = this.#init
    const endAtMs = monotonicMs() + graceMs
    const failures: unknown[] = []
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      try {
        await part.close(Math.max(0, endAtMs - monotonicMs()))
      } catch (error) {
        log.error(`${part.name} did not close cleanly`, { error })
        failures.push(error)
      }
    }
    if (failures.length > 0) throw failures[0]
  }
}

function wasClosed(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'the application was closed', { remedy: 'Make a new application.' })
}
