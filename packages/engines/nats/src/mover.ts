import { type Msg, nanos } from '@nats-io/nats-core'
import { ackKinds, tell } from './acks.ts'
import type { Channel } from './channel.ts'
import { type ServerHeaders, serverHeaders } from './codec.ts'
import { laterConsumer } from './configs.ts'
import { errorFrom } from './errors.ts'
import { Feed, pullMsFor } from './feed.ts'
import { handOverOf } from './incoming.ts'
import { dueHeader, targetHeader } from './later.ts'
import type { Link } from './link.ts'
import { publishBytes } from './publisher.ts'
import type { ServerTime } from './time.ts'

/** Records looked at in one go. */
const portion = 256

/** Longest time until a record is looked at again. */
const lookAgainMs = 3_600_000

const encoder = new TextEncoder()

/** What handing on needs. */
export interface MoverSurroundings {
  readonly link: Link
  readonly time: ServerTime
}

/**
 * Hands on what is due in a channel, where the server has no schedules: every process that knows the channel does it, and the
 * consumer gives each record to one of them. What is not due is given back until then, so that the server does the waiting.
 */
export class Mover {
  readonly #link: Link
  readonly #time: ServerTime
  readonly #channel: Channel
  readonly #feed: Feed
  readonly #unlisten: () => void

  constructor({ link, time }: MoverSurroundings, channel: Channel) {
    this.#link = link
    this.#time = time
    this.#channel = channel
    const spec = { stream: channel.names.stream, consumer: laterConsumer, pullMs: pullMsFor(link.settings.leaseMs) }
    this.#feed = new Feed(link, spec, {
      onMessage: (message) => this.#take(message),
      onIdle: () => this.#ask(),
      onGone: () => void this.close(),
    })
    this.#unlisten = link.listen({ onLost: () => this.#feed.reset(), onConnected: () => this.#ask() })
    this.#ask()
  }

  async close(): Promise<void> {
    this.#unlisten()
    await this.#feed.stop()
  }

  #ask(): void {
    const { asked } = this.#feed
    if (asked <= portion / 2) this.#feed.pull(portion - asked)
  }

  #take(message: Msg): void {
    this.#ask()
    const dueAtMs = Number(message.headers?.get(dueHeader))
    const leftMs = dueAtMs - this.#time.toServers(this.#link.host.clock.nowMs())
    if (leftMs > 0) {
      const delay = nanos(Math.ceil(Math.min(leftMs, lookAgainMs)))
      message.respond(encoder.encode(`-NAK {"delay":${delay}}`))
      return
    }
    this.#move(message).catch((thrown: unknown) => {
      if (this.#link.closed) return
      // It comes again when the consumer has waited for long enough.
      this.#link.host.log.warn('a delayed record was not handed on', { error: errorFrom(thrown, 'move').message })
    })
  }

  /** First it joins the records, once however often this is tried; then it is done with here. */
  async #move(message: Msg): Promise<void> {
    const { seq } = handOverOf(message.reply ?? '')
    // Its id was recognised, or not, when it was published.
    const headers: [string, string][] = [['Nats-Msg-Id', `later ${seq}`]]
    for (const [name, [value = '']] of message.headers ?? []) {
      if (name !== dueHeader && name !== targetHeader && name !== 'Nats-Msg-Id') headers.push([name, value])
    }
    const subject = message.headers?.get(targetHeader) ?? ''
    const answer = await publishBytes(this.#link, {
      subject,
      body: message.data,
      headers: serverHeaders(headers as ServerHeaders),
    })
    if (answer.error !== undefined) throw new Error(answer.error.description)
    const { names, spec } = this.#channel
    if (spec.retention !== undefined) {
      // A log that is kept keeps what was acknowledged.
      await this.#link.find('move', (manager) => manager.streams.deleteMessage(names.stream, seq, false))
    }
    await tell(this.#link, ackKinds.done, [message.reply ?? ''])
  }
}
