import { type Clock, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { errorOf, isReply } from './errors.ts'
import { copyOf, heldOf } from './held.ts'
import type { Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { Received } from './record-codec.ts'

/** What opening queues needs. */
export interface QueueChannelsDeps {
  /** Over which queues are consumed. */
  readonly link: Link
  /** Makes another connection, for questions that may end it. */
  readonly linkApart: () => Link
  readonly publisher: Publisher
  readonly clock: Clock
  readonly timeoutMs: number
  /** Told which queue does not answer, and when it does again. */
  readonly onSilent: (queue: string, cause: PosthasteError | undefined) => void
}

/**
 * Opens channels to consume queues over. A quorum queue without a leader takes whoever consumes it for an answer that never
 * comes, and the server then ends the whole connection, after more than a minute. So a queue that says neither that it has
 * messages nor that anybody consumes it is asked for a message first, over a connection apart; until it answers, nobody
 * else is held up by it.
 */
export class QueueChannels {
  readonly #deps: QueueChannelsDeps
  readonly #silent = new Set<string>()
  #apart: Link | undefined
  #asking = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor(deps: QueueChannelsDeps) {
    this.#deps = deps
  }

  /**
   * A channel to consume quorum queues over.
   * @throws NOT_FOUND (the server's) where one is gone, UNAVAILABLE where one does not answer
   */
  async open(queues: readonly string[]): Promise<Channel> {
    const { link } = this.#deps
    const channel = await link.channel()
    try {
      for (const queue of queues) {
        const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
        if (messageCount === 0 && consumerCount === 0) await this.#ask(queue)
        this.#heard(queue)
      }
      return channel
    } catch (thrown) {
      await channel.close()
      throw thrown
    }
  }

  /** The same for queues that go with the connection, and are no quorum queues. */
  async openTemporary(queues: readonly string[]): Promise<Channel> {
    const channel = await this.#deps.link.channel()
    for (const queue of queues) await channel.queueDeclare({ queue, passive: true })
    return channel
  }

  /** Whoever wanted to consume them does not any more. */
  left(queues: readonly string[]): void {
    for (const queue of queues) this.#heard(queue)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#apart?.close(0)
  }

  async #ask(queue: string): Promise<void> {
    this.#timer?.cancel()
    this.#apart ??= this.#deps.linkApart()
    const link = this.#apart
    this.#asking += 1
    let channel: Channel | undefined
    try {
      await link.up(this.#deps.timeoutMs)
      channel = await link.channel()
      await this.#get(channel, queue)
    } catch (thrown) {
      // That one with a single active consumer gives nothing to others is an answer of its leader.
      if (isReply(thrown, 'RESOURCE_LOCKED')) return
      const cause = errorOf(thrown, `asking the queue ${queue}`)
      // Given up, though the connection stands.
      if (cause.code === 'UNAVAILABLE' && channel?.active === false && link.isUp) this.#unheard(queue, link)
      throw cause
    } finally {
      void channel?.close()
      this.#asking -= 1
      if (this.#asking === 0) this.#leaveLater()
    }
  }

  async #get(channel: Channel, queue: string): Promise<void> {
    const message = await channel.basicGet({ queue })
    if (message === undefined) return
    // It came just then. The server would count what is given back as if a member had vanished.
    const { deliveryTag } = message
    const held = heldOf(message as unknown as Received, queue)
    const target = { exchange: '', routingKey: queue, mandatory: true }
    const { visibleAtMs } = held.decoded
    const [outcome] = await this.#deps.publisher.send([copyOf(held, { target, countsAttempt: false, visibleAtMs })])
    if (outcome?.ok) channel.basicAck({ deliveryTag })
    else channel.basicNack({ deliveryTag, requeue: true })
  }

  #heard(queue: string): void {
    if (this.#silent.delete(queue)) this.#deps.onSilent(queue, undefined)
  }

  #unheard(queue: string, link: Link): void {
    // The server will end this connection for the question.
    if (link === this.#apart) this.#apart = undefined
    void link.close(0)
    if (this.#silent.has(queue)) return
    this.#silent.add(queue)
    this.#deps.onSilent(queue, silentError(queue))
  }

  #leaveLater(): void {
    if (this.#isClosed) return
    this.#timer = this.#deps.clock.setTimer(idleMs, () => {
      void this.#apart?.close(0)
      this.#apart = undefined
    })
  }
}

/** The connection apart is kept for so long after the last question. */
const idleMs = 1_000

function silentError(queue: string): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `rabbitmq: the queue ${queue} does not answer; it may have no leader`, {
    remedy:
      'Wait until most of its nodes are up. If they are, it lost its leader for good: delete it at the server, and start again.',
  })
}
