import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus } from 'posthaste/bus'
import type { Flow } from './flow.ts'
import type { Ledger } from './ledger.ts'
import { Asked, fateOf, Noted, Placed } from './messages.ts'

const keys = 12
const plainLanes = 4
const askingLanes = 2
const pauseMs = 25
const askPauseMs = 100
/** Wait before a message that was not confirmed is published again. */
const againMs = 100
const requestTimeoutMs = 5_000
/** Each so many messages without a key are due later, in milliseconds. */
const delayed = { each: 5, byMs: 300 } as const

/** What became of requests. */
export interface Requests {
  answered: number
  failed: number
}

/** Publishes until it is told to stop: each lane one message after the other, again under its id until it is confirmed. */
export class Publishers {
  readonly requests: Requests = { answered: 0, failed: 0 }
  readonly #bus: Bus
  readonly #ledger: Ledger
  readonly #flow: Flow
  readonly #run: string
  readonly #lanes: readonly Promise<void>[]
  #stopped = false

  constructor(bus: Bus, { ledger, flow, run }: { readonly ledger: Ledger; readonly flow: Flow; readonly run: string }) {
    this.#bus = bus
    this.#ledger = ledger
    this.#flow = flow
    this.#run = run
    this.#lanes = [
      ...Array.from({ length: keys }, (_, at) => this.#lane(`key-${at}`, (key, n) => this.#place(key, n))),
      ...Array.from({ length: plainLanes }, (_, at) => this.#lane(`lane-${at}`, (key, n) => this.#note(key, n))),
      ...Array.from({ length: askingLanes }, (_, at) => this.#ask(`asker-${at}`)),
    ]
  }

  /** Ends all lanes. What is not confirmed by then is left. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#lanes)
  }

  async #lane(key: string, publish: (key: string, n: number) => Promise<unknown>): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      await this.#untilConfirmed(this.#id(key, n), () => publish(key, n))
      await sleep(pauseMs)
    }
  }

  async #untilConfirmed(id: string, publish: () => Promise<unknown>): Promise<void> {
    while (!this.#stopped) {
      this.#ledger.publishing(id)
      try {
        await publish()
        this.#ledger.confirmed(id)
        this.#flow.confirmed(performance.now())
        return
      } catch {
        await sleep(againMs)
      }
    }
  }

  #place(key: string, n: number): Promise<unknown> {
    return this.#bus.publish(Placed, { n, key, fate: fateOf(n) }, { id: this.#id(key, n) })
  }

  #note(key: string, n: number): Promise<unknown> {
    const later = n % delayed.each === 1 ? { delayMs: delayed.byMs } : {}
    return this.#bus.publish(Noted, { n, key, fate: fateOf(n) }, { id: this.#id(key, n), ...later })
  }

  async #ask(key: string): Promise<void> {
    for (let n = 0; !this.#stopped; n += 1) {
      try {
        const reply = await this.#bus.request(Asked, { n, key, fate: 'ok' }, { timeoutMs: requestTimeoutMs })
        if (reply.n !== n) throw new Error(`asked ${n}, was answered ${reply.n}`)
        this.requests.answered += 1
      } catch {
        this.requests.failed += 1
      }
      await sleep(askPauseMs)
    }
  }

  #id(key: string, n: number): string {
    return `${this.#run}-${key}-${n}`
  }
}
