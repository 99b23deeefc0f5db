import { type Clock, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { errorOf, isReply } from './errors.ts'
import { closedError, type Link } from './link.ts'
import { within } from './timely.ts'

/** What opening queues needs. */
export interface QueueChannelsDeps {
  /** Over which queues are consumed. */
  readonly link: Link
  /** Makes another connection, for questions that may end it. */
  readonly linkApart: () => Link
  readonly clock: Clock
  readonly timeoutMs: number
  /** Told which queue does not answer, and when it does again. */
  readonly onSilent: (queue: string, cause: PosthasteError | undefined) => void
}

/**
 * Opens channels to consume queues over. A quorum queue without a leader takes whoever consumes it for an answer that never
 * comes, and the server then ends the whole connection, after more than a minute. So a queue that says neither that it has
 * messages nor that anybody consumes it is asked first, over a connection apart; until it answers, nobody else is held up
 * by it. Only once a connection was lost: on the first one nothing has gone wrong yet, or ends it soon.
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
   * A channel to consume quorum queues over, `isSingle` where they have a single active consumer.
   * @throws NOT_FOUND (the server's) where one is gone, UNAVAILABLE where one does not answer
   */
  async open(queues: readonly string[], isSingle: boolean): Promise<Channel> {
    const { link } = this.#deps
    const channel = await link.channel()
    try {
      for (const queue of queues) {
        const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
        if (link.generation > 1 && messageCount === 0 && consumerCount === 0) await this.#ask(queue, isSingle)
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

  async #ask(queue: string, isSingle: boolean): Promise<void> {
    // Whoever opens it goes on for a moment after the end.
    if (this.#isClosed) throw closedError()
    this.#timer?.cancel()
    this.#apart ??= this.#deps.linkApart()
    const link = this.#apart
    this.#asking += 1
    let channel: Channel | undefined
    try {
      await link.up(this.#deps.timeoutMs)
      channel = await link.channel()
      await this.#question(channel, queue, isSingle)
    } catch (thrown) {
      // That one with a single active consumer gives nothing to others is an answer of its leader.
      if (isReply(thrown, 'RESOURCE_LOCKED')) return
      const cause = errorOf(thrown, `asking the queue ${queue}`)
      // There is no answer, though the connection stands.
      if (cause.code === 'UNAVAILABLE' && channel !== undefined && link.isUp) this.#unheard(queue, link)
      throw cause
    } finally {
      void channel?.close()
      this.#asking -= 1
      if (this.#asking === 0) this.#leaveLater()
    }
  }

  /**
   * One with a single active consumer gives nothing to whoever asks for a message, and says so. Of any other a message would be
   * taken away for a moment, which the server counts; so it is sent one, which is gone at once, and has to confirm it.
   */
  async #question(channel: Channel, queue: string, isSingle: boolean): Promise<void> {
    if (isSingle) {
      await channel.basicGet({ queue })
      return
    }
    await channel.confirmSelect()
    // What is published meanwhile would stand before the question, and be an answer.
    const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
    if (messageCount > 0 || consumerCount > 0) return
    const envelope = { routingKey: queue, durable: true, expiration: '0', headers: { [questionHeader]: '1' } }
    await within(this.#deps, 'a confirm', channel.basicPublish(envelope, Buffer.alloc(0)))
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

/** Whether a message only asks whether the queue answers: it is no record. */
export function isQuestion({ headers }: { readonly headers?: Readonly<Record<string, unknown>> | undefined }): boolean {
  return headers !== undefined && questionHeader in headers
}

const questionHeader = 'posthaste-question'
/** The connection apart is kept for so long after the last question. */
const idleMs = 1_000

function silentError(queue: string): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `rabbitmq: the queue ${queue} does not answer; it may have no leader`, {
    remedy:
      'Wait until most of its nodes are up. If they are, it lost its leader for good: delete it at the server, and start again.',
  })
}
