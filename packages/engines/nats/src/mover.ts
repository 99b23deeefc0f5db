import { AckPolicy, DeliverPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { type Msg, nanos } from '@nats-io/nats-core'
import { ackKinds, tell } from './acks.ts'
import { type ServerHeaders, serverHeaders } from './codec.ts'
import { errorFrom } from './errors.ts'
import { Feed, pullMsFor } from './feed.ts'
import { handOverOf } from './incoming.ts'
import { dueHeader, targetHeader } from './later.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { publishBytes } from './publisher.ts'
import type { ServerTime } from './time.ts'

const consumer = 'mover'

/** Records looked at in one go. */
const portion = 256

/** Longest time until a record is looked at again. */
const lookAgainMs = 3_600_000

const encoder = new TextEncoder()

/**
 * Hands on what is due, where the server has no schedules: every process does it, and the consumer gives each record to one
 * of them. What is not due is given back until then, so that the server does the waiting.
 */
export class Mover {
  readonly #link: Link
  readonly #names: Names
  readonly #time: ServerTime
  #feed: Feed | undefined
  #unlisten: () => void = () => {}

  constructor(link: Link, names: Names, time: ServerTime) {
    this.#link = link
    this.#names = names
    this.#time = time
  }

  async open(): Promise<void> {
    const { stream, subject } = this.#names.delayed
    const { settings } = this.#link
    try {
      await this.#link.admin('delayed records', async (manager) => {
        await manager.streams.add({
          name: stream,
          subjects: [`${subject}.>`],
          retention: RetentionPolicy.Workqueue,
          storage: StorageType.File,
          num_replicas: settings.replicas,
          allow_direct: true,
        })
        await manager.consumers.add(stream, {
          durable_name: consumer,
          ack_policy: AckPolicy.Explicit,
          ack_wait: nanos(Math.max(10_000, settings.timeoutMs * 2)),
          deliver_policy: DeliverPolicy.All,
          max_deliver: -1,
          max_ack_pending: -1,
        })
      })
    } catch (thrown) {
      throw errorFrom(thrown, 'delayed records')
    }
    const pullMs = pullMsFor(settings.leaseMs)
    this.#feed = new Feed(
      this.#link,
      { stream, consumer, pullMs },
      {
        onMessage: (message) => this.#take(message),
        onIdle: () => this.#ask(),
        onGone: (cause) => this.#link.host.log.error('delayed records are not handed on', { error: cause.message }),
      },
    )
    this.#unlisten = this.#link.listen({ onLost: () => this.#feed?.reset(), onConnected: () => this.#ask() })
    this.#ask()
  }

  async close(): Promise<void> {
    this.#unlisten()
    await this.#feed?.stop()
  }

  #ask(): void {
    const asked = this.#feed?.asked ?? portion
    if (asked <= portion / 2) this.#feed?.pull(portion - asked)
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

  /** First it joins its channel, once however often this is tried; then it is done with here. */
  async #move(message: Msg): Promise<void> {
    const headers: [string, string][] = []
    for (const [name, [value = '']] of message.headers ?? []) {
      if (name !== dueHeader && name !== targetHeader) headers.push([name, value])
    }
    const { seq } = handOverOf(message.reply ?? '')
    if (!headers.some(([name]) => name === 'Nats-Msg-Id')) headers.push(['Nats-Msg-Id', `later ${seq}`])
    const subject = message.headers?.get(targetHeader) ?? ''
    const answer = await publishBytes(this.#link, {
      subject,
      body: message.data,
      headers: serverHeaders(headers as ServerHeaders),
    })
    if (answer.error !== undefined) throw new Error(answer.error.description)
    await tell(this.#link, ackKinds.done, [message.reply ?? ''])
  }
}
