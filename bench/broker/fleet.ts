import { type BrokerEngine, broker } from '@posthaste/broker'
import type { EngineHost, EngineSubscription, Log, OutgoingRecord } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { rateOf } from '../measure.ts'

/** Clients of one broker: every other one joins a group, the others publish now and then. */
export interface FleetPlan {
  readonly url: string
  readonly clients: number
  /** Channels that they share, each with one group. */
  readonly channels: number
  /** Each publisher publishes once in so many milliseconds. */
  readonly publishEveryMs: number
}

/** What a fleet tells of itself. */
export interface FleetFigures {
  readonly connected: number
  readonly joined: number
  readonly confirmed: number
  /** Of those that were confirmed. */
  readonly handled: number
  /** Messages that were handled more than once. */
  readonly duplicates: number
  readonly rssBytes: number
}

const silent = (): void => {}
const log: Log = { debug: silent, info: silent, warn: silent, error: console.error }
const timeoutMs = 120_000
const credit = 16
/** Clients that connect at a time. */
const opening = 256

/** The channel of the how-manieth client. */
const channelOf = (index: number, { channels }: FleetPlan): string => `fleet.c${Math.floor(index / 2) % channels}`

/** Many clients in this process, each with a connection of its own. */
export class Fleet {
  readonly #plan: FleetPlan
  readonly #engines: BrokerEngine[] = []
  readonly #confirmed = new Set<string>()
  readonly #handled = new Set<string>()
  readonly #publishing = new Set<Promise<void>>()
  #connected = 0
  #joined = 0
  #duplicates = 0
  #isPublishing = true

  constructor(plan: FleetPlan) {
    this.#plan = plan
  }

  /** As fast as they come, so many at a time: all of them share one thread here. */
  async open(): Promise<void> {
    const { clients } = this.#plan
    await rateOf(clients, opening, (index) => this.#client(index))
  }

  figures(): FleetFigures {
    let handled = 0
    for (const id of this.#confirmed) if (this.#handled.has(id)) handled++
    return {
      ...{ connected: this.#connected, joined: this.#joined, confirmed: this.#confirmed.size, handled },
      ...{ duplicates: this.#duplicates, rssBytes: process.memoryUsage.rss() },
    }
  }

  /** Publishes nothing more. Resolves when all that was published is confirmed. */
  async quiet(): Promise<void> {
    this.#isPublishing = false
    await Promise.all(this.#publishing)
  }

  async #client(index: number): Promise<void> {
    const { url } = this.#plan
    const engine = broker({ url, timeoutMs })
    this.#engines.push(engine)
    await engine.open(this.#host(index))
    const channel = channelOf(index, this.#plan)
    if (index % 2 === 0) await this.#join(engine, { channel, group: 'fleet', member: `m${index}` })
    else this.#publishNowAndThen(engine, channel, index)
  }

  #host(index: number): EngineHost {
    let is = 0
    return {
      ...{ clock: systemClock, log, instance: `client-${index}`, random: Math.random },
      onState: (state) => {
        this.#connected -= is
        is = state === 'connected' ? 1 : 0
        this.#connected += is
      },
    }
  }

  async #join(engine: BrokerEngine, spec: Parameters<BrokerEngine['subscribe']>[0]): Promise<void> {
    let member: EngineSubscription | undefined
    member = await engine.subscribe(spec, {
      deliver: (batch) => {
        for (const { record } of batch) this.#handle(record.id)
        // What is not settled because the broker is gone comes again.
        void member?.settle(batch.map(({ tag }) => ({ kind: 'ack', tag }))).then(() => member?.grant(batch.length))
      },
      lost: silent,
      closed: (cause) => console.error(cause),
    })
    member.grant(credit)
    this.#joined++
  }

  #handle(id: string): void {
    if (this.#handled.has(id)) this.#duplicates++
    this.#handled.add(id)
  }

  #publishNowAndThen(engine: BrokerEngine, channel: string, index: number): void {
    const { publishEveryMs } = this.#plan
    let count = 0
    const next = (waitMs: number): void => {
      systemClock.setTimer(waitMs, () => {
        if (!this.#isPublishing) return
        const id = `${index}-${count++}`
        const record: OutgoingRecord = { id, channel, headers: { type: channel, source: '/fleet' }, body }
        const done = this.#publish(engine, record).finally(() => this.#publishing.delete(done))
        this.#publishing.add(done)
        next(publishEveryMs)
      })
    }
    next(Math.random() * publishEveryMs)
  }

  /** Until it is confirmed: whoever does not know whether a message stands sends it again. */
  async #publish(engine: BrokerEngine, record: OutgoingRecord): Promise<void> {
    for (;;) {
      const [outcome] = await engine.publish([record])
      if (outcome?.ok === true) break
      await new Promise<void>((resolve) => void systemClock.setTimer(100 + Math.random() * 400, resolve))
    }
    this.#confirmed.add(record.id)
  }
}

const body = Buffer.alloc(100, 'x')
