import type { App, EventContract } from 'posthaste'
import { GoodsReturned, OrderCreated } from '../contracts.ts'
import { type Store, type Tables, type Transaction, table } from '../store/store.ts'

/** An event that is to be published, under its id. */
interface Waiting {
  readonly type: string
  readonly data: unknown
}

const outbox = table<Waiting>('orders.outbox')
const contracts = new Map<string, EventContract>([OrderCreated, GoodsReturned].map((event) => [event.type, event]))
const retryMs = 1_000

/**
 * Publishes what requests have decided. A request writes its order and the event into the store in one transaction and is
 * answered; the event leaves right after. Where the process dies in between, the next one publishes it. An event that was
 * published but not yet taken out leaves twice under one id, and its handlers' inbox knows it.
 */
export class Outbox {
  readonly #app: App
  readonly #store: Store
  #running: Promise<void> | undefined
  #again = false
  #closed = false

  constructor(app: App, store: Store) {
    this.#app = app
    this.#store = store
  }

  /** Puts an event in, as part of a transaction. */
  static put(tx: Transaction, id: string, event: Waiting): void {
    tx.put(outbox, [id], event)
  }

  /** Publishes all that waits, in the background. Call it after a transaction that put something in, and at the start. */
  kick(): void {
    this.#again = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
  }

  /** Takes up nothing more; what waits is published after the next start. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      const waiting = [...this.#store.list(outbox)]
      const published = await Promise.all(waiting.map(([[id = ''], event]) => this.#publish(id, event)))
      if (published.includes(false)) await this.#pause()
    }
  }

  async #publish(id: string, { type, data }: Waiting): Promise<boolean> {
    const contract = contracts.get(type)
    if (contract === undefined) throw new Error(`the outbox has no contract '${type}'`)
    try {
      await this.#app.publish(contract, data, { id })
      await this.#store.transact((tx) => tx.remove(outbox, [id]))
      return true
    } catch {
      // It stands in the table; nothing is lost by trying again later.
      return false
    }
  }

  async #pause(): Promise<void> {
    this.#again = true
    if (!this.#closed) await new Promise((resolve) => setTimeout(resolve, retryMs).unref())
  }
}

/** How many events still wait. */
export function outboxSize(store: Tables): number {
  return [...store.list(outbox)].length
}
