import assert from 'node:assert/strict'
import type {
  BrowsedRecord,
  Browsing,
  ChannelSpec,
  Clock,
  Engine,
  GroupSpec,
  Lag,
  Outcome,
  OutgoingRecord,
  RecordFilter,
  TopologyReport,
} from '@posthaste/contracts'
import { Member, type MemberOptions } from './member.ts'
import type { Witness } from './witness.ts'

const utf8 = new TextEncoder()

/** What of a record a case chooses; the rest is made up. */
export type RecordWish = Partial<Omit<OutgoingRecord, 'channel'>>

/** How a member joins. */
export interface JoinOptions extends MemberOptions {
  /** What the engine is to deliver to it; needs `filter`. */
  readonly filter?: RecordFilter | undefined
}

/** What a channel needs from its case. */
export interface ChannelSurroundings {
  readonly engine: Engine
  readonly clock: Clock
  readonly witness: Witness
  unique(what: string): string
  declare(channels: readonly ChannelSpec[], groups: readonly GroupSpec[]): Promise<TopologyReport>
  adopt(member: Member): void
  until(condition: () => boolean, what: () => string): Promise<void>
  within<T>(promise: Promise<T>, what: string): Promise<T>
}

/** A channel of a case. */
export class TestChannel {
  readonly spec: ChannelSpec
  readonly #context: ChannelSurroundings

  constructor(context: ChannelSurroundings, spec: ChannelSpec) {
    this.#context = context
    this.spec = spec
  }

  get name(): string {
    return this.spec.name
  }

  /** Makes the channel and its groups exist; groups see what stands there already, unless told otherwise. */
  async declare(groups: readonly string[], from: GroupSpec['from'] = 'next'): Promise<TopologyReport> {
    const channel = this.name
    return this.#context.declare(
      [this.spec],
      groups.map((group) => ({ channel, group, from })),
    )
  }

  // ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A record for this channel with an id of its own. */
  record(wish: RecordWish = {}): OutgoingRecord {
    const id = wish.id ?? this.#context.unique('record')
    return {
      headers: { type: 'conformance', source: '/suite' },
      body: utf8.encode(id),
      ...wish,
      id,
      channel: this.name,
    }
  }

  /** Several records, told apart by their ids; `wish` says what they share or, as a function, how each one is. */
  records(count: number, wish: RecordWish | ((at: number) => RecordWish) = {}): readonly OutgoingRecord[] {
    return Array.from({ length: count }, (_, at) => this.record(typeof wish === 'function' ? wish(at) : wish))
  }

  /** Publishes in one call and expects every record to be confirmed. */
  async publish(...records: readonly OutgoingRecord[]): Promise<readonly OutgoingRecord[]> {
    for (const outcome of await this.tryPublish(...records)) if (!outcome.ok) throw outcome.error
    return records
  }

  /** Publishes in one call and gives the outcomes as they are. */
  async tryPublish(...records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    const outcomes = await this.#context.within(this.#context.engine.publish(records), 'publish')
    assert.equal(outcomes.length, records.length, 'an outcome for each record')
    return outcomes
  }

  // ── Members ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async join(group: string, options: JoinOptions = {}): Promise<Member> {
    const context = this.#context
    const name = context.unique('member')
    const scope = { channel: this.name, group, keyed: this.spec.keyed }
    const member = new Member(name, scope, {
      ...options,
      clock: context.clock,
      witness: context.witness,
      until: (condition, what) => context.until(condition, what),
    })
    const spec = { channel: this.name, group, member: name, filter: options.filter }
    const subscription = await context.within(context.engine.subscribe(spec, member), 'subscribe')
    context.adopt(member)
    member.begin(subscription, options.credit ?? 0)
    return member
  }

  // ── Looking in ────────────────────────────────────────────────────────────────────────────────────────────────────

  get browsing(): Browsing {
    const { browsing } = this.#context.engine
    assert.ok(browsing, 'the case needs browsing')
    return browsing
  }

  /** Everything that stands in the channel, oldest first. */
  async browseAll(limit = 1_000): Promise<readonly BrowsedRecord[]> {
    const all: BrowsedRecord[] = []
    let after: string | undefined
    do {
      const page = await this.browsing.browse({ channel: this.name, after, limit })
      all.push(...page.records)
      after = page.next
    } while (after !== undefined)
    return all
  }

  async lag(group: string): Promise<Lag> {
    const { lag } = this.#context.engine
    assert.ok(lag, 'the case needs lag')
    return lag.lag(this.name, group)
  }
}
