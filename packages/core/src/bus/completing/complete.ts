import {
  type Browsing,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineHost,
  type EngineSubscription,
  type Lag,
  type LagReading,
  type Listing,
  type Outcome,
  type OutgoingRecord,
  type Patterns,
  PosthasteError,
  type Preparing,
  type Scheduling,
  type Seeking,
  type SubscriptionSpec,
  type Topology,
  type TopologyReport,
} from '@posthaste/contracts'
import { type TimerWheel, timerWheel } from '../../pipeline/timer-wheel.ts'
import { endsWithin, enginePatienceMs } from '../consuming/patience.ts'
import { headersFit } from '../publishing/attributes.ts'
import { completedLag } from './figures.ts'
import { AloneTurns } from './isolation.ts'
import { noteHeaderBytes } from './note-codec.ts'
import { CompletedSubscription } from './subscription.ts'

/** What an engine may turn out not to have once it is open. */
const abilities = ['scheduling', 'browsing', 'listing', 'lag', 'seeking', 'preparing', 'patterns'] as const

/** Most parked records of a key range, before the range is paused. */
const parkedMax = 10_000

/**
 * The engine with what the core does in its place: where the order of keys is that of key ranges, holding back a key,
 * releases until later and exact attempts, all by notes that are kept with the ranges; and where it only tells of them, that
 * what has ended several processes runs alone. What it presents is known once it is open. An engine that does all of that
 * itself is returned as it is.
 *
 * Idempotent: what is complete is returned as it is.
 *
 * @see ADR 0005
 */
export function complete(engine: Engine): Engine {
  const { keyOrder, suspects } = engine.capabilities
  return keyOrder === 'partitions' || suspects === 'told' ? new CompletedEngine(engine) : engine
}

/** All but subscriptions is the engine's own. */
class CompletedEngine implements Engine {
  readonly name: string
  readonly #engine: Engine
  /** Names this process in the sessions of key ranges, also where hosts are named alike. */
  readonly #reader = crypto.randomUUID()
  readonly #turns = new AloneTurns()
  /** Whether there are key ranges, and notes. */
  readonly #parks: boolean
  #capabilities: EngineCapabilities
  #host: EngineHost | undefined
  #timers: TimerWheel | undefined
  readonly #subscriptions = new Set<CompletedSubscription>()
  scheduling?: Scheduling
  browsing?: Browsing
  listing?: Listing
  lag?: LagReading
  seeking?: Seeking
  preparing?: Preparing
  patterns?: Patterns

  constructor(engine: Engine) {
    this.name = engine.name
    this.#engine = engine
    this.#parks = engine.capabilities.keyOrder === 'partitions'
    this.#capabilities = completed(engine.capabilities)
    this.#takeAbilities()
  }

  get capabilities(): EngineCapabilities {
    return this.#capabilities
  }

  async open(host: EngineHost): Promise<void> {
    this.#host = host
    await this.#engine.open(host)
    this.#timers ??= timerWheel(host.clock, host.log)
    this.#capabilities = completed(this.#engine.capabilities)
    this.#takeAbilities()
  }

  declare(topology: Topology): Promise<TopologyReport> {
    return this.#engine.declare(topology)
  }

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    if (!this.#parks) return this.#engine.publish(records)
    const { headerBytesMax } = this.#capabilities
    const refusals = new Map<number, Outcome>()
    /** Messages of one contract mostly share theirs. */
    let fitting: OutgoingRecord['headers'] | undefined
    for (let at = 0; at < records.length; at += 1) {
      const { id, headers } = records[at]!
      if (headers === fitting) continue
      if (headersFit(headers, Number.POSITIVE_INFINITY, headerBytesMax)) fitting = headers
      else refusals.set(at, tooLong(id, headerBytesMax))
    }
    return refusals.size === 0 ? this.#engine.publish(records) : this.#publishRest(records, refusals)
  }

  async #publishRest(
    records: readonly OutgoingRecord[],
    refusals: ReadonlyMap<number, Outcome>,
  ): Promise<readonly Outcome[]> {
    const outcomes = await this.#engine.publish(records.filter((_, at) => !refusals.has(at)))
    let next = 0
    return records.map((_, at) => refusals.get(at) ?? outcomes[next++]!)
  }

  async subscribe(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    const host = this.#host
    const timers = this.#timers
    if (host === undefined || timers === undefined) {
      throw new PosthasteError('FAILED_PRECONDITION', `engine ${this.name} is not open`)
    }
    const { clock, log, random } = host
    const deps = { clock, log, random, timers, target: `${spec.channel}@${spec.group}` }
    const { capabilities } = this.#engine
    const ended = (): unknown => this.#subscriptions.delete(subscription)
    const subscription: CompletedSubscription = new CompletedSubscription({
      spec,
      sink,
      reader: this.#reader,
      capabilities,
      parkedMax,
      turns: this.#turns,
      deps,
      ended,
    })
    subscription.begin(await this.#engine.subscribe(spec, subscription.sink))
    this.#subscriptions.add(subscription)
    return subscription
  }

  async close(): Promise<void> {
    // What is unsettled goes back in order, as far as nobody has stopped them before.
    const left = Promise.allSettled([...this.#subscriptions].map((subscription) => subscription.stop()))
    if (this.#timers !== undefined) await endsWithin(enginePatienceMs, left, this.#timers)
    await this.#engine.close()
    this.#timers?.close()
  }

  /** Some are known only when it is open. */
  #takeAbilities(): void {
    for (const ability of abilities) delete this[ability]
    const { scheduling, browsing, listing, lag, seeking, preparing, patterns } = this.#engine
    if (scheduling !== undefined) this.scheduling = scheduling
    if (browsing !== undefined) this.browsing = browsing
    if (listing !== undefined) this.listing = listing
    if (lag !== undefined) this.lag = this.#parks ? this.#completedReading(lag) : lag
    if (seeking !== undefined) this.seeking = seeking
    if (preparing !== undefined) this.preparing = preparing
    if (patterns !== undefined) this.patterns = patterns
  }

  #completedReading(reading: LagReading): LagReading {
    const lag = async (channel: string, group: string): Promise<Lag> => {
      const isOfGroup = ({ spec }: CompletedSubscription): boolean => spec.channel === channel && spec.group === group
      await Promise.all([...this.#subscriptions].filter(isOfGroup).map((subscription) => subscription.caughtUp()))
      const raw = await reading.lag(channel, group)
      const own = [...this.#subscriptions].filter(isOfGroup).flatMap(({ figures }) => figures)
      return completedLag(raw, own)
    }
    return { lag }
  }
}

function tooLong(id: string, headerBytesMax: number): Outcome {
  const message = `record ${id}: its headers have more than ${headerBytesMax} bytes`
  return { ok: false, error: new PosthasteError('INVALID_ARGUMENT', message) }
}

/** What is parked needs a header more than what is published. */
function completed(raw: EngineCapabilities): EngineCapabilities {
  if (raw.keyOrder !== 'partitions') return { ...raw, suspects: 'isolated' }
  const headerBytesMax = Math.max(raw.headerBytesMax - noteHeaderBytes, 0)
  return { ...raw, keyOrder: 'engine', holdKey: 'native', attempts: 'exact', suspects: 'isolated', headerBytesMax }
}
