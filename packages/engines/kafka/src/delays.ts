import {
  type Clock,
  type DeliverySink,
  type Log,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type Settlement,
  type Timer,
} from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { Consumer } from './consumer.ts'
import type { ConsumerSource } from './consumer-source.ts'
import type { Entry } from './range.ts'
import { internalHeaders } from './record-codec.ts'

/** How many records one process has in memory that wait. */
const heldMax = 50_000
const retryMs = 200

/**
 * Reads the topic of delays with all other processes of the installation, and lets each record go on when its step is over:
 * to its next step, or into its channel. Publishing it there and having done with it here is one transaction, so it goes on
 * once.
 */
export class Delays {
  readonly #clock: Clock
  readonly #log: Log
  readonly #consumer: Consumer
  /** What waits, the next at the front. */
  #waiting: Waiting[] = []
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY

  constructor(cluster: Cluster, source: Omit<ConsumerSource, 'channel' | 'group' | 'noted' | 'notes'>) {
    this.#clock = cluster.host.clock
    this.#log = cluster.host.log
    this.#consumer = new Consumer(
      cluster,
      { ...source, channel: '', group: undefined, noted: '', notes: undefined },
      this.#sink(),
    )
    this.#consumer.grant(heldMax)
  }

  /** Begins; resolves like the start of a consumer. */
  start(): Promise<void> {
    return this.#consumer.start()
  }

  /** Lets the others do it. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    await this.#consumer.stop()
  }

  #sink(): DeliverySink {
    return {
      deliver: (batch) => {
        for (const delivery of batch) {
          const entry = delivery as Entry
          const atMs = Number(entry.internal[internalHeaders.wakeAt] ?? 0)
          insert(this.#waiting, { atMs, entry })
        }
        this.#arm()
      },
      lost: (tags) => {
        const gone = new Set(tags)
        this.#waiting = this.#waiting.filter(({ entry }) => !gone.has(entry.tag))
        this.#consumer.grant(tags.length)
      },
      closed: (cause) => this.#log.error('kafka engine: what is due cannot be read any more', { cause }),
    }
  }

  #arm(): void {
    const next = this.#waiting[0]
    if (next === undefined || next.atMs >= this.#timerAtMs) return
    this.#timer?.cancel()
    this.#timerAtMs = next.atMs
    this.#timer = this.#clock.setTimer(Math.max(0, next.atMs - this.#clock.nowMs()), () => {
      this.#timerAtMs = Number.POSITIVE_INFINITY
      void this.#wake()
    })
  }

  async #wake(): Promise<void> {
    const nowMs = this.#clock.nowMs()
    const until = this.#waiting.findIndex(({ atMs }) => atMs > nowMs)
    const due = this.#waiting.splice(0, until < 0 ? this.#waiting.length : until)
    this.#arm()
    if (due.length === 0) return
    const outcomes = await this.#consumer.settle(due.map(({ entry }) => goOn(entry)))
    const again: Entry[] = []
    for (const [at, outcome] of outcomes.entries()) {
      const { entry } = due[at] as Waiting
      if (outcome.ok || outcome.error.code === 'DELIVERY_LOST') this.#consumer.grant(1)
      else if (PosthasteError.is(outcome.error, 'NOT_FOUND')) this.#drop(entry, outcome.error)
      else again.push(entry)
    }
    for (const entry of again) insert(this.#waiting, { atMs: this.#clock.nowMs() + retryMs, entry })
    this.#arm()
  }

  /** Where it was to go is gone: a temporary group most likely. */
  #drop(entry: Entry, reason: PosthasteError): void {
    this.#log.warn('kafka engine: what is due has no place to go any more', {
      id: entry.record.id,
      reason: reason.message,
    })
    void this.#consumer.settle([{ kind: 'ack', tag: entry.tag }]).then((outcomes: readonly Outcome[]) => {
      this.#consumer.grant(outcomes.length)
    })
  }
}

interface Waiting {
  readonly atMs: number
  readonly entry: Entry
}

function goOn({ tag, record, internal }: Entry): Settlement {
  const channel = internal[internalHeaders.channel] ?? ''
  const publish: OutgoingRecord[] = [{ ...record, channel }]
  return { kind: 'ack', tag, publish }
}

/** Most of what comes is due after what is there: looks from the back. */
function insert(waiting: Waiting[], one: Waiting): void {
  let [low, high] = [0, waiting.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((waiting[middle] as Waiting).atMs <= one.atMs) low = middle + 1
    else high = middle
  }
  waiting.splice(low, 0, one)
}
