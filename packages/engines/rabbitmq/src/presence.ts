import type { Clock, Log } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { fail, isReply } from './errors.ts'
import type { Link } from './link.ts'
import { Reopener } from './reopener.ts'
import { onGone } from './timely.ts'

/** What being present needs. */
export interface PresenceDeps {
  readonly link: Link
  readonly clock: Clock
  readonly log: Log
  readonly random: () => number
}

/**
 * Lets other processes count the members of a group: each consumes a queue that nothing is published to, and that goes with the
 * last of them. The queues with the records do not tell: a member without credit does not consume, and of those in line
 * for a key range the server counts one. Nobody waits for it, and nothing depends on it.
 */
export class Presence {
  readonly #deps: PresenceDeps
  readonly #present = new Set<Present>()
  readonly #reopener: Reopener
  #channel: Channel | undefined

  constructor(deps: PresenceDeps) {
    this.#deps = deps
    this.#reopener = new Reopener(
      deps,
      () => this.#open(),
      (cause) => deps.log.debug('rabbitmq: members of this process are not counted', { cause }),
    )
  }

  /** One more member, also over lost connections; returns what ends it. */
  enter(queue: string): () => void {
    const present: Present = { queue, consumerTag: undefined }
    this.#present.add(present)
    if (this.#channel === undefined) this.#reopener.again()
    // What fails ends the channel, and then all of them are told again.
    else this.#tell(this.#channel, present).catch(() => {})
    return () => this.#leave(present)
  }

  /** Whoever is still present goes. */
  async close(): Promise<void> {
    this.#reopener.stop()
    this.#present.clear()
    await this.#channel?.close()
  }

  async #open(): Promise<void> {
    if (this.#present.size === 0) return
    const channel = await this.#deps.link.channel()
    if (this.#present.size === 0) return channel.close()
    this.#channel = channel
    let isTold = false
    onGone(channel, () => {
      if (this.#channel === channel) this.#channel = undefined
      if (isTold && this.#present.size > 0) this.#reopener.again()
    })
    try {
      await Promise.all(Array.from(this.#present, (present) => this.#tell(channel, present)))
      // One who entered meanwhile may have ended it.
      if (!channel.active) throw fail('UNAVAILABLE', 'the channel was lost')
      isTold = true
    } catch (thrown) {
      await channel.close()
      // The queue went with the last member of another process just then, or its node is down: either passes.
      throw isReply(thrown, 'NOT_FOUND') ? fail('UNAVAILABLE', String(thrown)) : thrown
    }
  }

  async #tell(channel: Channel, present: Present): Promise<void> {
    const { queue } = present
    await channel.queueDeclare({ queue, durable: true, autoDelete: true })
    const { consumerTag } = await channel.basicConsume({ queue, noAck: true }, () => {})
    present.consumerTag = consumerTag
    if (!this.#present.has(present)) this.#cancel(channel, consumerTag)
  }

  #leave(present: Present): void {
    const { consumerTag } = present
    if (this.#present.delete(present) && consumerTag !== undefined && this.#channel?.active)
      this.#cancel(this.#channel, consumerTag)
  }

  #cancel(channel: Channel, consumerTag: string): void {
    channel.basicCancel(consumerTag).catch(() => {})
  }
}

interface Present {
  readonly queue: string
  /** On the channel that there is, or was. */
  consumerTag: string | undefined
}
