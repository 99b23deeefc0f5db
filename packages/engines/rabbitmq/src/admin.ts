import type { Channel } from 'rabbitmq-client'
import { errorOf } from './errors.ts'
import type { Link } from './link.ts'

/**
 * Asks and tells the server about exchanges and queues. A channel has one question at a time and dies of a wrong one, so a
 * few stand ready and are replaced as they die.
 */
export class Admin {
  readonly #link: Link
  readonly #timeoutMs: number
  #idle: Channel[] = []
  #busy = 0
  readonly #queue: (() => void)[] = []

  constructor(link: Link, timeoutMs: number) {
    this.#link = link
    this.#timeoutMs = timeoutMs
  }

  /** Runs one piece of work on a channel; throws what the server answered. */
  async run<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    await this.#link.up(this.#timeoutMs)
    while (this.#busy >= channelsMax) await this.#free()
    this.#busy += 1
    let channel: Channel | undefined
    try {
      channel = this.#take() ?? (await this.#link.channel())
      return await work(channel)
    } finally {
      this.#busy -= 1
      if (channel?.active) this.#idle.push(channel)
      this.#queue.shift()?.()
    }
  }

  /** The same; what the server answered becomes an error of ours. */
  async tell<T>(what: string, work: (channel: Channel) => Promise<T>): Promise<T> {
    try {
      return await this.run(work)
    } catch (thrown) {
      throw errorOf(thrown, what)
    }
  }

  async close(): Promise<void> {
    const idle = this.#idle
    this.#idle = []
    await Promise.all(idle.map((channel) => channel.close()))
  }

  /** Whoever is busy is so for no longer than its channel lets it. */
  #free(): Promise<void> {
    return new Promise((resolve) => this.#queue.push(resolve))
  }

  #take(): Channel | undefined {
    for (;;) {
      const channel = this.#idle.pop()
      if (channel === undefined || channel.active) return channel
    }
  }
}

const channelsMax = 8
