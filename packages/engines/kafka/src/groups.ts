import { PosthasteError } from '@posthaste/contracts'
import type { Names } from './names.ts'
import type { ChannelEntry, RegisteredGroup, Registry } from './registry.ts'

/** A group that is declared. */
export interface FoundGroup {
  readonly channel: ChannelEntry
  readonly entry: RegisteredGroup
  readonly topic: string
  readonly groupId: string
}

/** Finds what was declared, here or by another process. */
export class Declared {
  readonly #names: Names
  readonly #registry: Registry

  constructor(names: Names, registry: Registry) {
    this.#names = names
    this.#registry = registry
  }

  /** @throws NOT_FOUND when the channel is not declared */
  async channel(name: string): Promise<ChannelEntry> {
    if (this.#registry.channel(name) === undefined) await this.#registry.refresh()
    const channel = this.#registry.channel(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `channel ${name}: it is not declared`)
    return channel
  }

  /** @throws NOT_FOUND when the channel or the group is not declared */
  async group(channelName: string, group: string): Promise<FoundGroup> {
    let channel = await this.channel(channelName)
    if (!channel.groups.has(group)) {
      await this.#registry.refresh()
      channel = await this.channel(channelName)
    }
    const entry = channel.groups.get(group)
    if (entry === undefined)
      throw new PosthasteError('NOT_FOUND', `group ${group} of ${channelName}: it is not declared`)
    const groupId = this.#names.groupId(channelName, group, entry.token)
    return { channel, entry, topic: this.#names.topic(channelName), groupId }
  }

  /** The consumer group that tells what is gone from a queue: that of its one group, or one that stands in for it. */
  queueGroupId({ spec, groups }: ChannelEntry): string {
    const [group = ''] = groups.keys()
    return this.#names.groupId(spec.name, group)
  }
}
