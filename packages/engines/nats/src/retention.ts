import type { ConsumerInfo } from '@nats-io/jetstream'
import type { Timer } from '@posthaste/contracts'
import { messagesFrom } from './browsing.ts'
import type { Channel } from './channel.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import type { ServerTime } from './time.ts'
import type { TopologyKeeper } from './topology.ts'

/** What trimming logs needs. */
export interface RetentionSurroundings {
  readonly link: Link
  readonly time: ServerTime
  readonly topology: TopologyKeeper
}

/** How often logs are trimmed. */
const everyMs = 30_000

/**
 * Trims logs with a retention: the limits of a stream would drop what a group still needs. Any process that knows the
 * channel does it; twice does no harm.
 */
export class Retention {
  readonly #surroundings: RetentionSurroundings
  #timer: Timer | undefined
  #closed = false

  constructor(surroundings: RetentionSurroundings) {
    this.#surroundings = surroundings
    this.#later()
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  #later(): void {
    const { clock } = this.#surroundings.link.host
    this.#timer = clock.setTimer(everyMs, () => {
      void this.#trimAll().finally(() => {
        if (!this.#closed) this.#later()
      })
    })
  }

  async #trimAll(): Promise<void> {
    const { link, topology } = this.#surroundings
    for (const channel of [...topology.all()]) {
      if (channel.spec.retention === undefined || this.#closed || !link.connected) continue
      try {
        await this.trim(channel)
      } catch (thrown) {
        const { name } = channel.spec
        if (!link.closed)
          link.host.log.warn('a log was not trimmed', { channel: name, error: errorFrom(thrown, name).message })
      }
    }
  }

  /** Drops what retention does not keep and no group needs. */
  async trim(channel: Channel): Promise<void> {
    const { link } = this.#surroundings
    const { stream, records } = channel.names
    const { state } = await link.admin(`channel ${channel.spec.name}`, (manager) => manager.streams.info(stream))
    if (state.messages === 0) return
    const consumers: ConsumerInfo[] = []
    await link.admin(`channel ${channel.spec.name}`, async (manager) => {
      consumers.length = 0
      for await (const info of manager.consumers.list(stream)) consumers.push(info)
    })
    const needed = Math.min(state.last_seq + 1, ...consumers.map((info) => firstNeeded(info, state.last_seq)))
    const kept = Math.max(await this.#firstYoung(channel, state.last_seq + 1), firstWithin(channel, state))
    const seq = Math.min(needed, kept)
    if (seq > state.first_seq) {
      await link.admin('retention', (manager) => manager.streams.purge(stream, { filter: records, seq }))
    }
  }

  /** The first sequence that is younger than retention asks for; 0 where age is no reason to drop anything. */
  async #firstYoung(channel: Channel, end: number): Promise<number> {
    const { link, time } = this.#surroundings
    const { forMs } = channel.spec.retention ?? {}
    if (forMs === undefined) return 0
    const borderMs = time.toServers(link.host.clock.nowMs()) - forMs
    let [low, high] = [1, end]
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      const { value } = await messagesFrom({ link }, channel, { from: middle }).next()
      if (value === undefined || value.seq >= high) high = middle
      else if (value.time.getTime() < borderMs) low = value.seq + 1
      else high = middle
    }
    return low
  }
}

/** The first sequence that a group has not settled. */
function firstNeeded({ name, ack_floor, num_pending, num_ack_pending }: ConsumerInfo, last: number): number {
  if (name.startsWith('@') || (num_pending === 0 && num_ack_pending === 0)) return last + 1
  return ack_floor.stream_seq + 1
}

/** The first sequence of those that fit into the bytes that retention allows, by their average size; 0 without a limit. */
function firstWithin(
  { spec }: Channel,
  { bytes, messages, first_seq }: { readonly bytes: number; readonly messages: number; readonly first_seq: number },
): number {
  const { bytesMax } = spec.retention ?? {}
  if (bytesMax === undefined || bytes <= bytesMax) return 0
  return first_seq + Math.ceil((messages * (bytes - bytesMax)) / bytes)
}
