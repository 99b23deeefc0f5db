import type { Delivery } from '@posthaste/contracts'
import { nobody, type Session } from './note-codec.ts'

/** How many deliveries that are still to come may have been with a reader that vanished, and since when there are none. */
export interface Suspicion {
  readonly suspects: number
  readonly sinceMs: number
}

/** What the suspects of a range are told by. */
export interface SuspectsInit {
  /** Names this process: a session that it left itself says nothing about vanished ones. */
  readonly reader: string
  /** Whether the engine's attempt tells which deliveries somebody may have had before. */
  readonly tellsRedeliveries: boolean
  /** What this process suspected when it lost the range. */
  readonly suspicion: Suspicion | undefined
  /** When the range was assigned. */
  readonly nowMs: number
}

/** Which deliveries of a key range may have been in hand when its reader vanished: a session told of so many, and no more. */
export class Suspects {
  readonly #init: SuspectsInit
  #count = 0
  /** They were stored before. */
  #sinceMs: number

  constructor(init: SuspectsInit) {
    this.#init = init
    this.#sinceMs = init.nowMs
  }

  get count(): number {
    return this.#count
  }

  get suspicion(): Suspicion {
    return { suspects: this.#count, sinceMs: this.#sinceMs }
  }

  /** Learns from the session that stands in the range. @returns whether what it had in hand ended with its reader */
  learn(session: Session | undefined): boolean {
    const { reader, suspicion } = this.#init
    if (session === undefined) return false
    if (session.reader !== reader) {
      this.#count = session.unsettled
      this.#sinceMs = session.sinceMs ?? this.#sinceMs
      return session.reader !== nobody
    }
    if (suspicion !== undefined) {
      this.#count = suspicion.suspects
      this.#sinceMs = suspicion.sinceMs
    }
    return false
  }

  /** Whether a delivery may be one of them, which it then was. Only to be asked while there are any. */
  take(delivery: Delivery): boolean {
    if (!this.#mayBe(delivery)) return false
    this.#count -= 1
    return true
  }

  #mayBe({ attempt, storedAtMs }: Delivery): boolean {
    const { tellsRedeliveries } = this.#init
    if (storedAtMs > this.#sinceMs) {
      // Where they come in order, all that come behind it are as new.
      if (!tellsRedeliveries) this.#count = 0
      return false
    }
    return attempt > 1 || !tellsRedeliveries
  }
}
