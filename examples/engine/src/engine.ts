import type * as Posthaste from '@posthaste/contracts'
import { type ErrorCode, PosthasteError, succeeded } from '@posthaste/contracts'

/** What is `none` the core emulates or refuses: an engine is complete without it. */
const capabilities: Posthaste.EngineCapabilities = {
  ...{ durability: 'none', bodyBytesMax: 1_048_576, headerBytesMax: 32_768, atomicSettle: 'native', attempts: 'exact' },
  ...{ keyOrder: 'none', holdKey: 'none', delay: 'none', delayPrecisionMs: 0, groupAddress: 'none', history: 'none' },
  ...{ priorityLevels: 1, deduplicateForMsMax: 0, filter: 'none', patterns: 'none', temporaryGroups: 'none' },
  ...{ leaseMs: Infinity, unsettledMsMax: Infinity, unsettledMax: Infinity },
}

interface Channel {
  readonly spec: Posthaste.ChannelSpec
  readonly groups: Map<string, Group>
  /** What a queue was sent before it had its group. */
  readonly early: Entry[]
}

/** One record of one group. */
interface Entry {
  readonly record: Posthaste.OutgoingRecord
  readonly storedAtMs: number
  readonly position: string
  /** Hand-overs that counted. */
  readonly attempts: number
}

interface Group {
  readonly ready: Set<Entry>
  readonly members: Set<Member>
}

interface Member {
  readonly sink: Posthaste.DeliverySink
  readonly held: Map<Posthaste.DeliveryTag, Entry>
  credit: number
}

/** Everything there is. It may outlive an engine: the next one goes on with it. */
export class SmallStore {
  readonly channels = new Map<string, Channel>()
  last = 0
}

const fail = (code: ErrorCode, what: string) => new PosthasteError(code, `small engine: ${what}`)

/** A complete engine in memory: groups, credit, settlements and attempts, and no more than that. */
export class SmallEngine implements Posthaste.Engine {
  readonly name = 'small'
  readonly capabilities = capabilities
  readonly #store: SmallStore
  #host: Posthaste.EngineHost | undefined

  constructor(store = new SmallStore()) {
    this.#store = store
  }

  async open(host: Posthaste.EngineHost): Promise<void> {
    this.#host = host
    host.onState('connected')
  }

  async declare({ channels, groups }: Posthaste.Topology): Promise<Posthaste.TopologyReport> {
    this.#open()
    const [created, drift]: [string[], Posthaste.TopologyDrift[]] = [[], []]
    for (const spec of channels) {
      if ((spec.priorities ?? 1) !== 1 || spec.deduplicateForMs !== undefined)
        throw fail('CAPABILITY_UNSUPPORTED', `${spec.name} asks for priorities or for a window`)
      const found = this.#store.channels.get(spec.name)
      drift.push(...differences(spec, found?.spec ?? spec))
      if (found === undefined) created.push(spec.name)
      if (found === undefined) this.#store.channels.set(spec.name, { spec, groups: new Map(), early: [] })
    }
    for (const { channel: name, group, lifetime } of groups) {
      if (lifetime === 'temporary') throw fail('CAPABILITY_UNSUPPORTED', `${group} is to be temporary`)
      const channel = this.#channel(name)
      const [other] = channel.groups.keys()
      if (channel.spec.kind === 'queue' && other !== undefined && other !== group) {
        drift.push({ name, setting: 'group', wanted: group, found: other })
      } else if (!channel.groups.has(group)) {
        channel.groups.set(group, { ready: new Set(channel.early.splice(0)), members: new Set() })
        created.push(`${name}@${group}`)
      }
    }
    return { created, drift }
  }

  async publish(records: readonly Posthaste.OutgoingRecord[]): Promise<readonly Posthaste.Outcome[]> {
    this.#open()
    return records.map((record) => {
      const error = this.#refusal(record)
      if (error !== undefined) return { ok: false, error }
      this.#add(record)
      return succeeded
    })
  }

  async subscribe(
    spec: Posthaste.SubscriptionSpec,
    sink: Posthaste.DeliverySink,
  ): Promise<Posthaste.EngineSubscription> {
    this.#open()
    if (spec.filter !== undefined) throw fail('CAPABILITY_UNSUPPORTED', 'there are no filters')
    const group = this.#channel(spec.channel).groups.get(spec.group)
    if (group === undefined) throw fail('NOT_FOUND', `the group ${spec.group} is not declared`)
    const member: Member = { sink, held: new Map(), credit: 0 }
    group.members.add(member)
    return {
      grant: (credit) => {
        member.credit += credit
        this.#wake(group)
      },
      settle: async (batch) => batch.map((settlement) => this.#settle(group, member, settlement)),
      extend: async () => {},
      stop: async () => this.#leave(group, member),
    }
  }

  async close(): Promise<void> {
    this.#host = undefined
    for (const { groups } of this.#store.channels.values())
      for (const group of groups.values()) for (const member of group.members) this.#leave(group, member)
  }

  #leave(group: Group, member: Member): void {
    group.members.delete(member)
    for (const entry of member.held.values()) group.ready.add(entry)
    member.held.clear()
    this.#wake(group)
  }

  #settle(group: Group, member: Member, settlement: Posthaste.Settlement): Posthaste.Outcome {
    const entry = member.held.get(settlement.tag)
    if (entry === undefined) return { ok: false, error: fail('DELIVERY_LOST', `${settlement.tag} is not there`) }
    const published = settlement.kind === 'ack' ? (settlement.publish ?? []) : []
    const error = published.map((record) => this.#refusal(record)).find((each) => each !== undefined)
    if (error !== undefined) return { ok: false, error }
    member.held.delete(settlement.tag)
    for (const record of published) this.#add(record)
    if (settlement.kind === 'release')
      group.ready.add({ ...entry, attempts: entry.attempts + (settlement.countsAttempt ? 1 : 0) })
    this.#wake(group)
    return succeeded
  }

  #add(record: Posthaste.OutgoingRecord): void {
    const { groups, early, spec } = this.#channel(record.channel)
    const position = String(++this.#store.last).padStart(16, '0')
    const entry = { record, storedAtMs: this.#host?.clock.nowMs() ?? 0, position, attempts: 0 }
    if (groups.size === 0 && spec.kind === 'queue') early.push(entry)
    for (const group of groups.values()) {
      group.ready.add(entry)
      this.#wake(group)
    }
  }

  /** Gives each member what it has credit for, in a turn of the engine's own. */
  #wake(group: Group): void {
    queueMicrotask(() => {
      for (const member of group.members) {
        const batch: Posthaste.Delivery[] = []
        for (const entry of group.ready) {
          if (member.credit === 0) break
          member.credit -= 1
          group.ready.delete(entry)
          member.held.set(++this.#store.last, entry)
          batch.push({ ...entry, tag: this.#store.last, attempt: entry.attempts + 1 })
        }
        if (batch.length > 0) member.sink.deliver(batch)
      }
    })
  }

  #refusal({ channel, key = '', headers, body, group, dueAtMs }: Posthaste.OutgoingRecord): PosthasteError | undefined {
    if (!this.#store.channels.has(channel)) return fail('NOT_FOUND', `the channel ${channel} is not declared`)
    if ((group ?? dueAtMs) !== undefined) return fail('CAPABILITY_UNSUPPORTED', 'no record is addressed or delayed')
    if (body.length > capabilities.bodyBytesMax) return fail('BODY_TOO_LARGE', `a body has ${body.length} bytes`)
    if (Buffer.byteLength(key) > 1_024) return fail('INVALID_ARGUMENT', 'a key is too long')
    const isLong = Buffer.byteLength(Object.entries(headers).flat().join('')) > capabilities.headerBytesMax
    return isLong ? fail('INVALID_ARGUMENT', 'the headers are too long') : undefined
  }

  #channel(name: string): Channel {
    const channel = this.#store.channels.get(name)
    if (channel === undefined) throw fail('NOT_FOUND', `the channel ${name} is not declared`)
    return channel
  }

  #open(): void {
    if (this.#host === undefined) throw fail('ENGINE_CLOSED', 'it is not open')
  }
}

function differences(wanted: Posthaste.ChannelSpec, found: Posthaste.ChannelSpec): readonly Posthaste.TopologyDrift[] {
  const text = (value: unknown) => JSON.stringify(value) ?? 'none'
  return (['kind', 'keyed', 'retention'] as const)
    .map((setting) => ({ name: wanted.name, setting, wanted: text(wanted[setting]), found: text(found[setting]) }))
    .filter((each) => each.wanted !== each.found)
}
