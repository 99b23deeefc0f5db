import type { Engine, SeekTarget, SubscriptionSpec } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { silentLog } from '../../../src/pipeline/log.ts'
import { PartitionedEngine } from './engine.ts'
import { Feed } from './feed.ts'
import type { BrokerOptions } from './options.ts'
import type { Server } from './server.ts'

/**
 * What stands behind engines with key ranges, in memory: each range of a group has one reader, and notes. It outlives the
 * engines that are connected to it, and knows nothing of holding keys, of counted or of delayed releases.
 */
export class PartitionedBroker implements Server {
  readonly options: Server['options']
  readonly storage: Engine
  readonly #feeds = new Map<string, Feed>()
  readonly #engines = new Set<PartitionedEngine>()
  #opened: Promise<void> | undefined

  constructor({ clock, attempts = 'none', keyRanges = 3, fault }: BrokerOptions) {
    this.options = { clock, attempts, keyRanges, fault }
    this.storage = memory({ store: memoryStore(), clock })
  }

  /** Another client. */
  connect(): PartitionedEngine {
    const engine = new PartitionedEngine(this)
    this.#engines.add(engine)
    return engine
  }

  /** The process of a client is gone; of all clients if none is given. */
  crash(engine?: PartitionedEngine): void {
    for (const each of engine === undefined ? this.#engines : [engine]) each.die()
  }

  opened(): Promise<void> {
    const { clock } = this.options
    this.#opened ??= this.storage.open({ clock, log: silentLog, instance: 'broker', random: () => 0.5, onState() {} })
    return this.#opened
  }

  async feed(channel: string, group: string): Promise<Feed> {
    const name = `${channel}@${group}`
    const known = this.#feeds.get(name)
    if (known !== undefined) return known
    const feed = new Feed(this.options)
    this.#feeds.set(name, feed)
    try {
      await feed.begin(this.storage, memberOf(channel, group))
    } catch (thrown) {
      this.#feeds.delete(name)
      throw thrown
    }
    return feed
  }

  async seek(channel: string, group: string, target: SeekTarget): Promise<void> {
    const feed = await this.feed(channel, group)
    await feed.seek(this.storage, memberOf(channel, group), target)
  }

  /** Notes that stand, of all ranges of a group. */
  notes(channel: string, group: string): readonly string[] {
    return this.#feeds.get(`${channel}@${group}`)?.ranges.flatMap(({ notes }) => [...notes.keys()]) ?? []
  }

  /** Ids of what a group has not settled. */
  unsettled(channel: string, group: string): readonly string[] {
    const ranges = this.#feeds.get(`${channel}@${group}`)?.ranges ?? []
    return ranges.flatMap(({ items }) => items.map(({ stored }) => stored.record.id))
  }
}

/** The one reader of what is stored. */
function memberOf(channel: string, group: string): SubscriptionSpec {
  return { channel, group, member: 'broker' }
}
