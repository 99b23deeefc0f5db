import { PosthasteError } from '@posthaste/contracts'

const topicLengthMax = 249
const internalPrefix = '_posthaste-'

/** How channels and groups are called on the server. */
export class Names {
  readonly #prefix: string
  /** What stands in channels and groups that Kafka does not keep itself. */
  readonly registry: string
  /** What waits for its time. */
  readonly delays: string
  /** What is kept with the key ranges of groups. */
  readonly notes: string

  constructor(prefix: string) {
    this.#prefix = prefix
    this.registry = `${prefix}${internalPrefix}registry`
    this.delays = `${prefix}${internalPrefix}delays`
    this.notes = `${prefix}${internalPrefix}notes`
  }

  /** The topic of a channel: its own name. */
  topic(channel: string): string {
    return `${this.#prefix}${channel}`
  }

  /** The consumer group of a group: `channel@group`. A temporary one is that of one process alone. */
  groupId(channel: string, group: string, token?: string): string {
    return `${this.#prefix}${channel}@${group}${token === undefined ? '' : `~${token}`}`
  }

  /** A transactional id. */
  transactionalId(name: string): string {
    return `${this.#prefix}posthaste-${name}`
  }

  /** @throws CONFIG_INVALID when no topic can have the name of this channel */
  check(channel: string): void {
    const topic = this.topic(channel)
    const mistake =
      topic.length > topicLengthMax
        ? `a topic name has at most ${topicLengthMax} characters`
        : topic === '.' || topic === '..'
          ? 'no topic can have this name'
          : channel.startsWith(internalPrefix)
            ? `names that begin with ${internalPrefix} are the engine's own`
            : undefined
    if (mistake === undefined) return
    const issues = [{ path: 'channels.name', message: `${channel}: ${mistake}` }]
    throw new PosthasteError('CONFIG_INVALID', `kafka engine: channel ${channel}: ${mistake}`, { issues })
  }
}
