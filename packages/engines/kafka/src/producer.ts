import { initProducerIdV5 } from '@platformatic/kafka'
import { type Outcome, PosthasteError, succeeded, type Timer } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { hasCode, isTransient, KafkaError, kafkaCodes, mapped } from './errors.ts'
import { backoffMs } from './waiting.ts'
import { type ProduceResult, produce } from './wire/produce.ts'
import type { KafkaRecord } from './wire/record-batch.ts'
import type { ProducerIdentity } from './wire/transaction.ts'

/** A record and the partition it goes to. */
export interface Routed {
  readonly topic: string
  readonly partition: number
  readonly record: KafkaRecord
  /** An upper bound of its size in a batch. */
  readonly bytes: number
}

/** A call of `send`, until all of its records are answered. */
interface Call {
  readonly outcomes: Outcome[]
  readonly deadlineMs: number
  unanswered: number
  readonly resolve: (outcomes: Outcome[]) => void
}

interface Item {
  readonly routed: Routed
  readonly call: Call
  readonly index: number
}

/** What one partition is sent, in order. */
interface Queue {
  readonly topic: string
  readonly partition: number
  items: Item[]
  head: number
  sequence: number
}

interface Batch {
  readonly queue: Queue
  readonly items: readonly Item[]
  readonly sequence: number
  /** Whether the server may have stored it, as far as its last answer or the lack of one tells. */
  mayStand: boolean
}

/** Answers after which a batch may stand: REQUEST_TIMED_OUT, NOT_ENOUGH_REPLICAS_AFTER_APPEND. */
const appendedOrNot = [7, 20]
const inFlightMax = 4
const requestBytesMax = 4 * 1_048_576
const batchRecordsMax = 20_000

/**
 * The idempotent producer: what arrives while requests are under way is the next batch, a few requests are under way at a
 * time, and the server keeps the order of each partition by sequence numbers and recognises what it has already.
 *
 * When anything fails nothing more is sent until all answers are there; then what failed is sent again, with the same
 * sequence numbers where the server may have it, and only then what came later. Where numbers have to begin anew, what the
 * server may have is not sent again, which would store it twice, but told as not confirmed.
 */
export class Producer {
  readonly #cluster: Cluster
  readonly #batchBytesMax: number
  readonly #queues = new Map<string, Queue>()
  /** Queues with something to send. */
  readonly #filled = new Set<Queue>()
  #latest: Queue | undefined
  #calls: Call[] = []
  #timer: Timer | undefined
  #identity: ProducerIdentity | undefined
  #inFlight = 0
  #failed: Batch[] = []
  #repairing = false
  #scheduled = false
  #failures = 0
  #idle: (() => void)[] = []

  /** @param batchBytesMax what the topics take in one batch */
  constructor(cluster: Cluster, batchBytesMax: number) {
    this.#cluster = cluster
    this.#batchBytesMax = batchBytesMax
  }

  /**
   * Stores records; each is answered within the time limit. `outcomes` has what is refused already, and gets the rest.
   * @param routed where the records go, undefined where they are refused
   */
  send(routed: readonly (Routed | undefined)[], outcomes: Outcome[]): Promise<readonly Outcome[]> {
    return new Promise((resolve) => {
      const deadlineMs = this.#cluster.host.clock.monotonicMs() + this.#cluster.settings.timeoutMs
      const call: Call = { outcomes, deadlineMs, unanswered: 0, resolve }
      for (let index = 0; index < routed.length; index += 1) {
        const each = routed[index]
        if (each === undefined) continue
        call.unanswered += 1
        this.#queueOf(each).items.push({ routed: each, call, index })
      }
      if (call.unanswered === 0) return resolve(outcomes)
      this.#calls.push(call)
      this.#watch()
      this.#schedule()
    })
  }

  /** Resolves once everything that was sent is answered. */
  idle(): Promise<void> {
    if (this.#calls.every(({ unanswered }) => unanswered === 0)) return Promise.resolve()
    return new Promise((resolve) => this.#idle.push(resolve))
  }

  /** Hot path: what has no key goes to one partition for a while. */
  #queueOf({ topic, partition }: Routed): Queue {
    const latest = this.#latest
    if (latest !== undefined && latest.partition === partition && latest.topic === topic) {
      if (latest.items.length === 0) this.#filled.add(latest)
      return latest
    }
    const name = `${topic}/${partition}`
    let queue = this.#queues.get(name)
    if (queue === undefined) {
      queue = { topic, partition, items: [], head: 0, sequence: 0 }
      this.#queues.set(name, queue)
    }
    this.#filled.add(queue)
    this.#latest = queue
    return queue
  }

  // What is published in one turn goes in one request.
  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#repairing || this.#cluster.isClosed) return
    if (this.#failed.length > 0 || this.#identity === undefined) {
      if (this.#inFlight === 0 && (this.#failed.length > 0 || this.#filled.size > 0)) void this.#repair()
      return
    }
    while (this.#inFlight < inFlightMax && this.#filled.size > 0) {
      const requests = this.#nextRequests()
      if (requests === undefined) return void this.#repair()
      for (const [broker, batches] of requests) void this.#request(broker, batches)
    }
  }

  /** One batch of each partition that waits, by the broker that leads it; undefined where that is not known. */
  #nextRequests(): Map<number, Batch[]> | undefined {
    const requests = new Map<number, Batch[]>()
    let bytesLeft = requestBytesMax
    // A copy: what is left of a queue goes to the back, and a request has one batch of a partition.
    for (const queue of [...this.#filled]) {
      const leader = this.#cluster.topicIfKnown(queue.topic)?.leaders[queue.partition]
      if (leader === undefined || leader < 0) return requests.size > 0 ? requests : undefined
      if (bytesLeft <= 0) break
      const [batch, bytes] = this.#take(queue)
      if (batch === undefined) continue
      bytesLeft -= bytes
      const batches = requests.get(leader)
      if (batches === undefined) requests.set(leader, [batch])
      else batches.push(batch)
    }
    return requests
  }

  #take(queue: Queue): readonly [batch: Batch | undefined, bytes: number] {
    const items: Item[] = []
    let bytes = 0
    const { items: waiting } = queue
    while (queue.head < waiting.length && items.length < batchRecordsMax) {
      const item = waiting[queue.head] as Item
      if (items.length > 0 && bytes + item.routed.bytes > this.#batchBytesMax) break
      queue.head += 1
      if (item.call.outcomes[item.index] !== undefined) continue
      items.push(item)
      bytes += item.routed.bytes
    }
    if (queue.head === waiting.length) {
      queue.items = []
      queue.head = 0
      this.#filled.delete(queue)
    } else {
      // To the back, so that one partition with a backlog does not shut out the others.
      this.#filled.delete(queue)
      this.#filled.add(queue)
    }
    if (items.length === 0) return [undefined, 0]
    const batch: Batch = { queue, items, sequence: queue.sequence, mayStand: false }
    queue.sequence = (queue.sequence + items.length) % 0x8000_0000
    return [batch, bytes]
  }

  async #request(broker: number, batches: readonly Batch[]): Promise<void> {
    this.#inFlight += 1
    try {
      const { host, settings } = this.#cluster
      const timestampMs = Math.floor(host.clock.nowMs())
      const identity = this.#identity as ProducerIdentity
      const results = await this.#cluster.lane(broker, 'produce').send(
        produce({
          timeoutMs: settings.timeoutMs,
          batches: batches.map(({ queue: { topic, partition }, items, sequence }) => ({
            topic,
            partition,
            records: items.map(({ routed }) => routed.record),
            settings: { ...identity, sequence, transactional: false, timestampMs, compression: settings.compression },
          })),
        }),
      )
      const byPlace = new Map(results.map((each) => [`${each.topic}/${each.partition}`, each]))
      for (const batch of batches) this.#answer(batch, byPlace.get(`${batch.queue.topic}/${batch.queue.partition}`))
    } catch (error) {
      for (const batch of batches) this.#fail(batch, error)
    } finally {
      this.#inFlight -= 1
      this.#pump()
    }
  }

  #answer(batch: Batch, result: ProduceResult | undefined): void {
    const errorCode = result?.errorCode ?? -1
    if (errorCode !== 0 && errorCode !== kafkaCodes.duplicateSequence) {
      const { topic, partition } = batch.queue
      this.#fail(batch, new KafkaError(errorCode, `partition ${partition} of ${topic}`, result?.errorMessage))
      return
    }
    this.#failures = 0
    for (const item of batch.items) this.#conclude(item, succeeded)
  }

  #fail(batch: Batch, error: unknown): void {
    const isLost = hasCode(
      error,
      kafkaCodes.outOfOrderSequence,
      kafkaCodes.unknownProducer,
      kafkaCodes.invalidProducerEpoch,
    )
    if (isLost) this.#identity = undefined
    // Refused as out of order: what was sent in vain before it stays in doubt.
    batch.mayStand ||= !(error instanceof KafkaError) || hasCode(error, ...appendedOrNot)
    if (isLost || isTransient(error)) {
      this.#failed.push(batch)
      return
    }
    // The server took no number for it: those behind it cannot stand as they are numbered.
    this.#identity = undefined
    for (const item of batch.items) {
      this.#conclude(item, { ok: false, error: mapped(error, `record for ${batch.queue.topic}`) })
    }
  }

  /** Everything is answered, and something failed: finds out what has changed and sends it again. */
  async #repair(): Promise<void> {
    this.#repairing = true
    const { host } = this.#cluster
    try {
      if (this.#failures > 0) await this.#cluster.pause(backoffMs(this.#failures, host.random))
      this.#failures += 1
      const topics = new Set([
        ...this.#failed.map(({ queue }) => queue.topic),
        ...[...this.#filled].map((each) => each.topic),
      ])
      if (this.#failed.length > 0 || [...topics].some((each) => this.#cluster.topicIfKnown(each) === undefined))
        await this.#cluster.refresh([...topics])
      for (const topic of topics) if (this.#cluster.topicIfKnown(topic) === undefined) this.#refuseAll(topic)
      // What nobody waits for any more need not be sent, but a number must not be left out: then all is numbered anew.
      const isGivenUp = ({ call, index }: Item) => call.outcomes[index] !== undefined
      if (this.#failed.length > 0 && this.#failed.every(({ items }) => items.every(isGivenUp)))
        this.#identity = undefined
      if (this.#identity === undefined) {
        this.#renumber()
        this.#identity = await this.#newIdentity()
      }
      await this.#resend()
    } catch (error) {
      if (!isTransient(error)) host.log.warn('kafka engine: publishing does not recover yet', { error })
    } finally {
      this.#repairing = false
      this.#schedule()
    }
  }

  /** Puts what failed back in front of what waits. */
  #renumber(): void {
    const failed = this.#failed
    this.#failed = []
    for (const queue of this.#queues.values()) queue.sequence = 0
    for (const { queue, items, mayStand } of failed.reverse()) {
      if (mayStand) {
        const error = new PosthasteError('UNAVAILABLE', `record for ${queue.topic}: nobody knows whether it was stored`)
        for (const item of items) this.#conclude(item, { ok: false, error })
        continue
      }
      queue.items = [...items, ...queue.items.slice(queue.head)]
      queue.head = 0
      this.#filled.add(queue)
    }
  }

  /** The same batches, with the same numbers, one after the other. */
  async #resend(): Promise<void> {
    const failed = this.#failed
    this.#failed = []
    for (let at = 0; at < failed.length; at += 1) {
      const batch = failed[at] as Batch
      const leader = this.#cluster.topicIfKnown(batch.queue.topic)?.leaders[batch.queue.partition]
      if (leader === undefined || leader < 0) this.#failed.push(batch)
      else await this.#request(leader, [batch])
      if (this.#failed.length > 0) {
        this.#failed.push(...failed.slice(at + 1))
        return
      }
    }
  }

  /** The topic is gone: nothing of it can ever be stored. */
  #refuseAll(topic: string): void {
    const error = new PosthasteError('NOT_FOUND', `topic ${topic}: it is not there`)
    for (const queue of this.#queues.values()) {
      if (queue.topic !== topic) continue
      for (const item of queue.items.splice(0).slice(queue.head)) this.#conclude(item, { ok: false, error })
      queue.head = 0
      this.#filled.delete(queue)
    }
    for (const { items } of this.#failed.filter(({ queue }) => queue.topic === topic))
      for (const item of items) this.#conclude(item, { ok: false, error })
    this.#failed = this.#failed.filter(({ queue }) => queue.topic !== topic)
  }

  async #newIdentity(): Promise<ProducerIdentity> {
    const lane = await this.#cluster.control()
    const { producerId, producerEpoch } = await lane.call(initProducerIdV5.api, null, 0, -1n, -1)
    return { producerId, producerEpoch }
  }

  #conclude({ call, index }: Item, outcome: Outcome): void {
    if (call.outcomes[index] !== undefined) return
    call.outcomes[index] = outcome
    call.unanswered -= 1
    if (call.unanswered > 0) return
    call.resolve(call.outcomes)
    if (this.#idle.length > 0) this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#calls.some(({ unanswered }) => unanswered > 0)) return
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  // ── Time limit ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One timer, for the call that has waited longest. */
  #watch(): void {
    if (this.#timer !== undefined) return
    const { clock } = this.#cluster.host
    const first = this.#calls[0]
    if (first === undefined) return
    this.#timer = clock.setTimer(Math.max(1, first.deadlineMs - clock.monotonicMs()), () => {
      this.#timer = undefined
      this.expire(clock.monotonicMs())
      this.#watch()
    })
  }

  /** Answers calls whose time is over; all of them, when the engine closes. */
  expire(nowMs: number): void {
    const { timeoutMs } = this.#cluster.settings
    const error = new PosthasteError('UNAVAILABLE', `kafka engine: not confirmed within ${timeoutMs} ms`)
    for (const call of this.#calls) {
      if (call.deadlineMs > nowMs) break
      for (let index = 0; index < call.outcomes.length; index += 1) call.outcomes[index] ??= { ok: false, error }
      if (call.unanswered > 0) call.resolve(call.outcomes)
      call.unanswered = 0
    }
    this.#calls = this.#calls.filter(({ unanswered }) => unanswered > 0)
    this.#tellIdle()
  }

  close(): void {
    this.expire(Number.POSITIVE_INFINITY)
    this.#timer?.cancel()
  }
}
