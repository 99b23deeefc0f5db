import { keyRangeOf, type OutgoingRecord } from '@posthaste/contracts'
import type { Admin } from './admin.ts'
import { entryOf } from './ladder.ts'
import type { Names } from './names.ts'
import type { ExchangeMapping, Settings } from './options.ts'
import { type KnownChannel, parseSettings } from './settings-text.ts'
import { readText } from './stored-text.ts'

/** Where a record is published to. */
export interface Target {
  readonly exchange: string
  readonly routingKey: string
  /** Whether it is a failure that no queue takes it: not so for a log, which nobody need read. */
  readonly mandatory: boolean
  /** What a headers exchange goes by. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Which channels there are and where their records go. What another process declared is looked up once. */
export class Catalogue {
  readonly names: Names
  readonly #settings: Settings
  readonly #admin: Admin
  readonly #known = new Map<string, KnownChannel>()
  /** The group of each `queue` channel that was declared here. */
  readonly #groups = new Map<string, string>()

  constructor(deps: { readonly names: Names; readonly settings: Settings; readonly admin: Admin }) {
    this.names = deps.names
    this.#settings = deps.settings
    this.#admin = deps.admin
  }

  get(channel: string): KnownChannel | undefined {
    return this.#known.get(channel)
  }

  add(channel: KnownChannel): void {
    this.#known.set(channel.spec.name, channel)
  }

  /** The group of a `queue` channel. */
  groupOf(channel: string): string | undefined {
    return this.#groups.get(channel)
  }

  setGroup(channel: string, group: string): void {
    this.#groups.set(channel, group)
  }

  /** The same, asking the server where it must. */
  async find(channel: string): Promise<KnownChannel | undefined> {
    const known = this.#known.get(channel)
    if (known !== undefined) return known
    const text = await readText(this.#admin, this.names.settings(channel))
    const found = text === undefined ? undefined : parseSettings(channel, text)
    if (found !== undefined) this.#known.set(channel, found)
    return found
  }

  /** Forgets what was looked up, so that what was deleted by hand is noticed. */
  clear(): void {
    this.#known.clear()
    this.#groups.clear()
  }

  mappingOf(channel: string): ExchangeMapping | undefined {
    return this.#settings.exchanges.get(channel)
  }

  /** The queue that one group gets a record from, for one range. */
  queueOf({ spec, keyRanges }: KnownChannel, group: string, range: number): string {
    const queue = this.names.queue(spec.name, spec.kind === 'queue' ? undefined : group)
    return keyRanges === 0 ? queue : this.names.range(queue, range)
  }

  /** Where a record goes, by the ladder if it is due later than at once; undefined for a group that there is not. */
  targetOf(channel: KnownChannel, record: OutgoingRecord, waitMs: number): Target | undefined {
    const { spec, keyRanges } = channel
    const { id, key = id, group } = record
    const range = keyRanges > 1 ? keyRangeOf(key, keyRanges) : 0
    if (group !== undefined) {
      const only = spec.kind === 'queue' ? this.#groups.get(spec.name) : undefined
      if (only !== undefined && only !== group) return undefined
      return this.queueTarget(this.queueOf(channel, group, range), waitMs)
    }
    const mapping = this.#settings.exchanges.get(spec.name)
    const entry = waitMs > 0 ? entryOf(waitMs, this.#word(spec.name, keyRanges, range)) : undefined
    if (entry !== undefined) return { ...entry, mandatory: true, headers: mapping?.headers }
    const mandatory = spec.kind === 'queue'
    if (mapping === undefined) {
      const routingKey = keyRanges > 0 ? String(range) : ''
      return { exchange: this.names.exchange(spec.name), routingKey, mandatory }
    }
    const { exchange, routingKey = spec.name, headers } = mapping
    return { exchange, routingKey, mandatory, headers }
  }

  /** Straight into one queue. */
  queueTarget(queue: string, waitMs: number): Target {
    const entry = waitMs > 0 ? entryOf(waitMs, this.names.queueWord(queue)) : undefined
    return entry === undefined ? { exchange: '', routingKey: queue, mandatory: true } : { ...entry, mandatory: true }
  }

  #word(channel: string, keyRanges: number, range: number): string {
    const word = this.names.channelWord(channel)
    return keyRanges > 0 ? `${word}.${range}` : word
  }
}
