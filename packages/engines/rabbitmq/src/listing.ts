import type { ChannelSpec, ListedGroup, Listing } from '@posthaste/contracts'
import { errorOf, fail, isReply } from './errors.ts'
import type { Examine } from './registry.ts'
import type { Entry } from './registry-entries.ts'
import { type KnownChannel, parseSettings } from './settings-text.ts'
import { readText } from './stored-text.ts'
import { lifetimeOf, membersOf, type TopologyDeps } from './topology.ts'

/** What telling needs. */
export interface ListerDeps {
  readonly topology: TopologyDeps
  /** Whether a temporary group is one of this process. */
  readonly isOwn: (channel: string, group: string) => boolean
}

/** Tells which channels and groups there are: those of the registry that the server still has. */
export class Lister implements Listing {
  readonly #deps: ListerDeps
  #next: Promise<Standing> | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(deps: ListerDeps) {
    this.#deps = deps
  }

  async channels(): Promise<readonly ChannelSpec[]> {
    const { channels } = await this.look()
    return Array.from(channels.values(), ({ spec }) => spec).sort((one, other) => inOrder(one.name, other.name))
  }

  async groups(name: string): Promise<readonly ListedGroup[]> {
    const { channels, groups } = await this.look()
    const channel = channels.get(name)
    if (channel === undefined) throw fail('NOT_FOUND', `channel ${name}: it is not declared`)
    const found = channel.spec.kind === 'log' ? (groups.get(name) ?? []) : await this.#groupOfQueue(name)
    const counted = await Promise.all(
      found.map(async (each) => ({ ...each, ...(await this.#membersOf(channel.spec, each.group)) })),
    )
    return counted.sort((one, other) => inOrder(one.group, other.group))
  }

  /** Reads the registry, and takes out what is gone. Calls that come while it reads share the next time. */
  look(): Promise<Standing> {
    this.#next ??= this.#last.then(() => {
      this.#next = undefined
      return this.#deps.topology.registry.read(this.#examine)
    })
    this.#last = this.#next.catch(() => {})
    return this.#next
  }

  async #groupOfQueue(channel: string): Promise<readonly ListedGroup[]> {
    const { admin, catalogue } = this.#deps.topology
    const group = await readText(admin, catalogue.names.groupOf(channel))
    return group === undefined ? [] : [{ group, lifetime: 'durable' }]
  }

  /** How many there are, over all processes; nothing where the server cannot say it. */
  async #membersOf(spec: ChannelSpec, group: string): Promise<Pick<ListedGroup, 'members'>> {
    const { admin, catalogue } = this.#deps.topology
    const queue = membersOf(catalogue.names, spec, group)
    try {
      const { consumerCount } = await admin.run((channel) => channel.queueDeclare({ queue, passive: true }))
      return { members: consumerCount }
    } catch (thrown) {
      if (!isReply(thrown, 'NOT_FOUND')) throw errorOf(thrown, `counting the members of ${spec.name}@${group}`)
      // The node that it stands on may be down, which has the same code.
      return String(thrown).includes('no queue') ? { members: 0 } : {}
    }
  }

  readonly #examine: Examine<Standing> = async (entries) => {
    const found: Standing = { channels: new Map(), groups: new Map() }
    const there = new Set<string>()
    await Promise.all(
      [...new Set(entries.map(({ channel }) => channel))].map(async (name) => {
        const { admin, catalogue } = this.#deps.topology
        const text = await readText(admin, catalogue.names.settings(name))
        if (text === undefined) return
        there.add(name)
        // Another version may have written it: then it is there, and nothing is known of it.
        const known = parseSettings(name, text)
        if (known !== undefined) found.channels.set(name, known)
      }),
    )
    const isThere = await Promise.all(entries.map((entry) => there.has(entry.channel) && this.#isThere(entry, found)))
    return { found, gone: entries.filter((_, at) => isThere[at] === false) }
  }

  /** Of a channel that is there. */
  async #isThere({ channel: name, group }: Entry, { channels, groups }: Standing): Promise<boolean> {
    const channel = channels.get(name)
    if (group === undefined || channel === undefined) return true
    const lifetime = await lifetimeOf(this.#deps.topology, channel, { group, isOwn: this.#deps.isOwn(name, group) })
    if (lifetime === undefined) return false
    groups.set(name, [...(groups.get(name) ?? []), { group, lifetime }])
    return true
  }
}

/** What stands on the server. */
interface Standing {
  readonly channels: Map<string, KnownChannel>
  readonly groups: Map<string, ListedGroup[]>
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
