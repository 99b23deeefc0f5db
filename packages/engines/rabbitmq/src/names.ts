import { createHash } from 'node:crypto'

/**
 * How channels and groups are called on the server. One to one: `@`, `#` and `~` are in no name of a channel or a group,
 * and what would be too long for the server ends in a hash.
 */
export class Names {
  readonly #prefix: string

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** The exchange that a channel is published to. */
  exchange(channel: string): string {
    return fitted(this.#prefix + channel, nameBytesMax)
  }

  /** The queue of a group of a log or, without a group, the one queue of a `queue` channel. */
  queue(channel: string, group: string | undefined): string {
    const name = this.#prefix + channel
    return fitted(group === undefined ? name : `${name}@${group}`, nameBytesMax)
  }

  /** The queue of one key range, where the channel is keyed. */
  range(queue: string, range: number): string {
    return `${queue}#${range}`
  }

  /** The queue that says who reads a key range, and keeps its notes. */
  control(queue: string, range: number): string {
    return `${queue}#${range}.notes`
  }

  /** The queue that the members of a group are counted by: it has as many consumers. */
  members(queue: string): string {
    return `${queue}~members`
  }

  /** The exchange that keeps a channel's settings; short, since the server says them in a text of 255 bytes. */
  settings(channel: string): string {
    return `${fitted(this.#prefix + channel, settingsBytesMax)}~settings`
  }

  /** The exchange that keeps which group a `queue` channel has. */
  groupOf(channel: string): string {
    return `${fitted(this.#prefix + channel, settingsBytesMax)}~group`
  }

  /** The queue that the names of all channels and groups stand in, and the exchange that tells of one whether it does. */
  get registry(): string {
    return `${this.#prefix}posthaste~registry`
  }

  /** What the exchange of the registry routes into is in it. The queue holds nothing. */
  get registered(): string {
    return `${this.#prefix}posthaste~registered`
  }

  /** Names a channel, as the one word that the delay ladder carries. */
  channelWord(channel: string): string {
    return `c${hashOf(this.exchange(channel), 24)}`
  }

  /** Names a queue, as the one word that the delay ladder carries. */
  queueWord(queue: string): string {
    return `q${hashOf(queue, 24)}`
  }
}

/** Names have 255 bytes at most; the rest is for what is put behind them. */
const nameBytesMax = 220
const settingsBytesMax = 48

function fitted(name: string, bytesMax: number): string {
  if (name.length <= bytesMax) return name
  return `${name.slice(0, bytesMax - 25)}~${hashOf(name, 24)}`
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length)
}
