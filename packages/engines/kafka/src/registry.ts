import { type ChannelSpec, type GroupSpec, PosthasteError } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'
import { offsetsOf, scan } from './scan.ts'
import type { ReadRecord } from './wire/record-batch.ts'

/** A channel as it was declared first. */
export interface RegisteredChannel {
  readonly spec: ChannelSpec
}

/** A group as it was declared first. */
export interface RegisteredGroup {
  readonly group: string
  readonly lifetime: 'durable' | 'temporary'
  /** Of a temporary group: the engine it lives with. */
  readonly token: string | undefined
}

/** A group as notes are kept for it. */
export function notedGroup({ group, token }: RegisteredGroup): string {
  return token === undefined ? group : `${group}~${token}`
}

/** A channel and its groups. */
export interface ChannelEntry extends RegisteredChannel {
  readonly groups: Map<string, RegisteredGroup>
}

/** A line of the registry: what is undefined is gone. */
export interface RegistryLine {
  readonly key: string
  readonly value: string | undefined
}

/** The line of a channel. */
export function channelLine(spec: ChannelSpec): RegistryLine {
  return { key: `channel ${spec.name}`, value: JSON.stringify(spec) }
}

/** The line of a group; without a lifetime, the end of it. */
export function groupLine(channel: string, { group, lifetime, token }: RegisteredGroup, isGone = false): RegistryLine {
  const value = isGone ? undefined : JSON.stringify({ lifetime, token })
  // A temporary group has a line for each process, so that two with the same name do not put an end to one another.
  return { key: `group ${channel} ${group}${token === undefined ? '' : ` ${token}`}`, value }
}

/** What Kafka does not keep of channels and groups: read from a compacted topic of one partition. */
export class Registry {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #token: string
  readonly #channels = new Map<string, ChannelEntry>()
  /** Temporary groups of other engines, by channel and group: records may be addressed to them. */
  readonly #foreign = new Map<string, Set<string>>()
  #readTo = 0
  #reading: Promise<void> | undefined

  constructor(cluster: Cluster, names: Names, token: string) {
    this.#cluster = cluster
    this.#topic = names.registry
    this.#token = token
  }

  get channels(): ReadonlyMap<string, ChannelEntry> {
    return this.#channels
  }

  channel(name: string): ChannelEntry | undefined {
    return this.#channels.get(name)
  }

  /** Whether records can be addressed to a group: also where it lives with another process. */
  hasGroup(channel: string, group: string): boolean {
    return (
      this.#channels.get(channel)?.groups.has(group) === true ||
      (this.#foreign.get(`${channel} ${group}`)?.size ?? 0) > 0
    )
  }

  /** Temporary groups that other processes have, or had when they ended without a word. */
  foreignGroups(): readonly (RegisteredGroup & { readonly channel: string })[] {
    return [...this.#foreign].flatMap(([name, tokens]) => {
      const [channel = '', group = ''] = name.split(' ')
      return [...tokens].map((token) => ({ channel, group, lifetime: 'temporary' as const, token }))
    })
  }

  /** Reads what was written since the last time; calls that come while it reads share the next time. */
  async refresh(): Promise<void> {
    if (this.#reading !== undefined) await this.#reading.catch(() => {})
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined
    })
    await this.#reading
  }

  async #read(): Promise<void> {
    try {
      const at = { partitions: [0], at: 'end' } as const
      const until = (await offsetsOf(this.#cluster, this.#topic, at)).get(0) ?? 0
      const range = { topic: this.#topic, partition: 0, from: this.#readTo, until }
      this.#readTo = await scan(this.#cluster, range, (records) => {
        for (const record of records) this.#apply(record)
      })
    } catch (error) {
      // Nothing was ever declared.
      if (!PosthasteError.is(error, 'NOT_FOUND')) throw error
    }
  }

  #apply({ key, value }: ReadRecord): void {
    const [kind, channel = '', group = '', token] = (key?.toString() ?? '').split(' ')
    if (kind === 'channel') {
      if (value === undefined) this.#channels.delete(channel)
      else if (!this.#channels.has(channel))
        this.#channels.set(channel, { spec: JSON.parse(value.toString()) as ChannelSpec, groups: new Map() })
      return
    }
    if (kind !== 'group') return
    if (token !== undefined && !token.startsWith(this.#token)) {
      this.#applyForeign(`${channel} ${group}`, token, value)
      return
    }
    const groups = this.#channels.get(channel)?.groups
    if (value === undefined) groups?.delete(group)
    else if (groups?.has(group) === false)
      groups.set(group, { group, ...(JSON.parse(value.toString()) as Pick<RegisteredGroup, 'lifetime' | 'token'>) })
  }

  #applyForeign(name: string, token: string, value: Buffer | undefined): void {
    const tokens = this.#foreign.get(name) ?? new Set()
    if (value === undefined) tokens.delete(token)
    else tokens.add(token)
    if (tokens.size === 0) this.#foreign.delete(name)
    else this.#foreign.set(name, tokens)
  }
}

/** A group as it is to stand in the registry. */
export function registeredGroup({ group, lifetime = 'durable' }: GroupSpec, token: string): RegisteredGroup {
  // The next one of the same name has nothing in common with it.
  return { group, lifetime, token: lifetime === 'temporary' ? `${token}.${++temporaryGroups}` : undefined }
}

let temporaryGroups = 0
