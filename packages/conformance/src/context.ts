import assert from 'node:assert/strict'
import type {
  ChannelSpec,
  Clock,
  Engine,
  EngineCapabilities,
  GroupSpec,
  Retention,
  TopologyReport,
} from '@posthaste/contracts'
import { TestChannel } from './channel.ts'
import type { EngineUnderTest } from './harness.ts'
import type { Member } from './member.ts'
import { turn, until, within } from './pacing.ts'
import type { SuiteSettings } from './settings.ts'
import { Witness } from './witness.ts'

/** A channel that a case wants. */
export interface ChannelWish {
  readonly kind?: ChannelSpec['kind']
  readonly keyed?: boolean
  readonly retention?: Retention
  readonly groups?: readonly string[]
  readonly from?: GroupSpec['from']
  readonly priorities?: number
  readonly deduplicateForMs?: number
  /** The channel's name, where the case is about names; unique by default. */
  readonly name?: string
}

/** Does work on another installation that is as fresh as the case's own, with some settings changed. */
export type Elsewhere = (
  work: (context: CaseContext) => Promise<void>,
  change?: Partial<SuiteSettings>,
) => Promise<void>

/** Delays that a case can wait for: long where the clock is virtual, short where it is not. */
const delayMs = { virtual: 3_600_000, real: 250 } as const

/** Longest step of virtual time while something is waited for. */
const defaultStepMaxMs = 60_000

/** Turns before virtual time begins to go by. */
const standingTurns = 20

/** What a case works with: an engine, names nobody else uses, members that check what they see, and time. */
export class CaseContext {
  readonly settings: SuiteSettings
  readonly witness = new Witness()
  readonly underTest: EngineUnderTest
  /** Tells the cases of all runs apart, so that stragglers of one never reach another. */
  readonly run: string
  readonly elsewhere: Elsewhere
  /** What the case has measured, by name; shown beside the guarantees that it belongs to. */
  readonly figures: Record<string, number> = {}
  readonly #members: Member[] = []
  readonly #deferred: (() => Promise<void>)[] = []
  #names = 0

  constructor(underTest: EngineUnderTest, settings: SuiteSettings, elsewhere: Elsewhere) {
    this.underTest = underTest
    this.elsewhere = elsewhere
    this.settings = settings
    this.run = crypto.randomUUID().slice(0, 8)
  }

  /** The engine as it is now: another one after a restart. */
  get engine(): Engine {
    return this.underTest.engine
  }

  get clock(): Clock {
    return this.underTest.host.clock
  }

  get capabilities(): EngineCapabilities {
    return this.engine.capabilities
  }

  /** What the engine has by itself, before the core completes it. */
  get declared(): EngineCapabilities {
    return (this.underTest.declared ?? this.engine).capabilities
  }

  /**
   * Whether the records of a channel stand in key ranges, each with one reader: a range waits for its reader, and there is
   * no order across ranges. Records without a key stand in them where every delivery is of one.
   */
  hasRanges({ keyed }: { readonly keyed: boolean }): boolean {
    const { keyOrder, attempts } = this.declared
    return keyOrder === 'partitions' && (keyed || attempts === 'none')
  }

  /** A name that no other case uses. */
  unique(what: string): string {
    this.#names += 1
    return `${what}-${this.run}-${this.#names}`
  }

  /** Adds to a figure. */
  count(figure: string, by = 1): void {
    this.figures[figure] = (this.figures[figure] ?? 0) + by
  }

  /** `count` at the scale of this run, and at least 1. */
  scaled(count: number): number {
    return Math.max(1, Math.round(count * this.settings.scale))
  }

  // ── Channels and members ──────────────────────────────────────────────────────────────────────────────────────────

  /** Declares a channel of its own for the case: a keyed log whose groups see all of it, unless wished otherwise. */
  async channel(wish: ChannelWish = {}): Promise<TestChannel> {
    const { kind = 'log', keyed = this.capabilities.keyOrder !== 'none', groups = ['g'], from } = wish
    const { retention, priorities, deduplicateForMs } = wish
    const name = wish.name ?? this.unique('channel')
    const channel = new TestChannel(this, { name, kind, keyed, retention, priorities, deduplicateForMs })
    await channel.declare(groups, from)
    return channel
  }

  /** Declares, and expects no drift. */
  async declare(channels: readonly ChannelSpec[], groups: readonly GroupSpec[]): Promise<TopologyReport> {
    const report = await this.engine.declare({ channels, groups })
    assert.deepEqual(report.drift, [], 'nothing of it exists with other settings')
    return report
  }

  /** Takes part in the cleanup and in the checks of the case. */
  adopt(member: Member): void {
    this.#members.push(member)
  }

  // ── Time ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  nowMs(): number {
    return this.clock.nowMs()
  }

  /** A delay that is long enough to tell early from late, in milliseconds. */
  get delayMs(): number {
    return this.underTest.advance === undefined ? delayMs.real : delayMs.virtual
  }

  /** Lets time go by until the host's clock shows `atMs`. */
  async reach(atMs: number): Promise<void> {
    const { advance } = this.underTest
    if (advance !== undefined) await advance(Math.max(0, atMs - this.nowMs()))
    await this.until(
      () => this.nowMs() >= atMs,
      () => `the clock to show ${atMs}`,
    )
  }

  /** Waits for a condition, letting what is due happen. */
  async until(condition: () => boolean, what: () => string): Promise<void> {
    const settle = async () => this.underTest.advance?.(0)
    await until(condition, what, { patienceMs: this.settings.patienceMs, settle })
  }

  /**
   * Waits for a condition while time goes by, in growing steps where the clock is virtual: first it stands, so that what
   * only needs the machine is not overtaken by what needs time.
   */
  async eventually(condition: () => boolean, what: () => string, stepMaxMs = defaultStepMaxMs): Promise<void> {
    const { advance } = this.underTest
    let [turns, stepMs] = [0, 0]
    const settle = async () => {
      turns += 1
      if (turns > standingTurns) stepMs = Math.min(2 * stepMs + 1, stepMaxMs)
      await advance?.(stepMs)
    }
    await until(condition, what, { patienceMs: this.settings.patienceMs, settle })
  }

  /** Waits for a promise while a little time goes by. */
  async through<T>(promise: Promise<T>, what: string): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    promise.then(settled, settled)
    const slowly = 10
    await this.eventually(
      () => isSettled,
      () => what,
      slowly,
    )
    return promise
  }

  /** A promise that the case awaits later: should the case fail before, its rejection is nobody's. */
  begun<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => {})
    return promise
  }

  /** A promise of the engine, which must not hang. */
  async within<T>(promise: Promise<T>, what: string): Promise<T> {
    return within(promise, what, this.settings.patienceMs)
  }

  /**
   * Gives the engine the opportunity to do what it should not: two records go all the way through it. A fault may
   * escape a case that relies on this, a correct engine never fails by it.
   */
  async lull(): Promise<void> {
    const side = await this.channel({ kind: 'queue', groups: ['side'], from: 'earliest' })
    const member = await side.join('side', { credit: 2 })
    for (let round = 0; round < 2; round += 1) {
      await side.publish(side.record())
      await member.ack(await member.next())
      await turn()
    }
    await member.stop()
  }

  // ── Restarts ──────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Closes the engine in order and opens it again; members are gone and have to join again. */
  async restart(): Promise<void> {
    for (const member of this.#members) member.leaving()
    await this.within(this.underTest.restart(), 'restart')
    this.#detachAll()
  }

  /** Kills the engine and opens it again; members are gone and have to join again. */
  async crash(): Promise<void> {
    const { crash } = this.underTest
    assert.ok(crash, 'the case needs a harness that can crash its engine')
    for (const member of this.#members) member.leaving()
    await this.within(crash(), 'reopening after a crash')
    this.#detachAll()
  }

  #detachAll(): void {
    for (const member of this.#members) member.detach()
    this.#members.length = 0
  }

  // ── The end ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Has something done before the engine is closed, whatever becomes of the case; the last one first. */
  defer(work: () => Promise<void>): void {
    this.#deferred.push(work)
  }

  /** Members leave and the engine closes, as an application would. */
  async close(): Promise<void> {
    for (let work = this.#deferred.pop(); work !== undefined; work = this.#deferred.pop()) await work()
    for (const member of this.#members) if (!member.ended) await this.within(member.stop(), `stop of ${member.name}`)
    await this.within(this.engine.close(), 'close')
    this.#detachAll()
    await turn()
  }

  /** Fails the case when anything was seen that must never be. */
  verify(): void {
    const { violations } = this.witness
    assert.deepEqual(violations, [], `${violations.length} things happened that never must`)
  }
}
