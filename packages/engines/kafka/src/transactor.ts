import { initProducerIdV5 } from '@platformatic/kafka'
import { PosthasteError } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { ConnectionError, hasCode, InDoubtError, KafkaError, kafkaCodes } from './errors.ts'
import type { Routed } from './producer.ts'
import { backoffMs, rest } from './waiting.ts'
import { type PartitionBatch, produce } from './wire/produce.ts'
import { commitInTransaction, endTransaction, type GroupPositions, type ProducerIdentity } from './wire/transaction.ts'

/** What stands or falls together. */
export interface TransactionWork {
  readonly records: readonly Routed[]
  readonly positions: readonly GroupPositions[]
}

/** How soon a producer asks again whose last transaction is still being ended. */
const concurrentRestMs = 3

/** One transactional id: writes records and positions of groups in one step, one transaction at a time. */
export class Transactor {
  readonly #cluster: Cluster
  readonly id: string
  #identity: ProducerIdentity | undefined

  constructor(cluster: Cluster, id: string) {
    this.#cluster = cluster
    this.id = id
  }

  /** Begins anew: what others, or an earlier try, have open under this id is aborted, and they are shut out. */
  async fence(): Promise<void> {
    const { transactionTimeoutMs } = this.#cluster.settings
    const { producerId, producerEpoch } = await this.#patiently(() =>
      this.#cluster.coordinated('transaction', this.id, (lane) =>
        lane.call(initProducerIdV5.api, this.id, transactionTimeoutMs, -1n, -1),
      ),
    )
    this.#identity = { producerId, producerEpoch }
  }

  /**
   * @throws InDoubtError when all or nothing of it stands
   * @throws KafkaError with a code of a group when the positions are refused; nothing of it stands then
   */
  async run(work: TransactionWork): Promise<void> {
    if (this.#identity === undefined) await this.fence()
    const identity = this.#identity as ProducerIdentity
    try {
      await Promise.all([
        this.#produce(work.records, identity),
        ...work.positions.map((each) => this.#commit(each, identity)),
      ])
    } catch (error) {
      this.#identity = undefined
      await this.#abort(identity)
      throw error
    }
    try {
      await this.#end(identity, true)
    } catch (error) {
      this.#identity = undefined
      throw new InDoubtError(`the end of the transaction ${this.id} was not answered`, { cause: error })
    }
  }

  async #produce(records: readonly Routed[], identity: ProducerIdentity): Promise<void> {
    if (records.length === 0) return
    const { clock } = this.#cluster.host
    const base = { ...identity, transactional: true, compression: this.#cluster.settings.compression }
    const timestampMs = Math.floor(clock.nowMs())
    const sequences = new Map<string, number>()
    for (const round of rounds(records, this.#cluster.settings.bodyBytesMax)) {
      const batches = round.map(({ topic, partition, records }): PartitionBatch => {
        const place = `${topic}/${partition}`
        const sequence = sequences.get(place) ?? 0
        sequences.set(place, sequence + records.length)
        return { topic, partition, records, settings: { ...base, sequence, timestampMs } }
      })
      await this.#store(batches)
    }
  }

  async #store(batches: readonly PartitionBatch[]): Promise<void> {
    let left = batches
    await this.#patiently(async () => {
      const failed: PartitionBatch[] = []
      let reason: KafkaError | undefined
      const byLeader = new Map<number, PartitionBatch[]>()
      for (const batch of left) {
        const leader = await this.#cluster.leader(batch.topic, batch.partition)
        byLeader.set(leader, [...(byLeader.get(leader) ?? []), batch])
      }
      const { timeoutMs } = this.#cluster.settings
      await Promise.all(
        [...byLeader].map(async ([leader, batches]) => {
          const lane = this.#cluster.lane(leader, 'transactions')
          const results = await lane.send(produce({ transactionalId: this.id, timeoutMs, batches }))
          for (const { topic, partition, errorCode, errorMessage } of results) {
            if (errorCode === 0 || errorCode === kafkaCodes.duplicateSequence) continue
            reason = new KafkaError(errorCode, `partition ${partition} of ${topic}`, errorMessage)
            failed.push(...batches.filter((each) => each.topic === topic && each.partition === partition))
          }
        }),
      )
      left = failed
      if (reason === undefined) return
      if (reason.transient && !hasCode(reason, kafkaCodes.concurrentTransactions))
        await this.#cluster.refresh([...new Set(failed.map(({ topic }) => topic))])
      throw reason
    })
  }

  async #commit(commit: GroupPositions, identity: ProducerIdentity): Promise<void> {
    await this.#patiently(() =>
      this.#cluster.coordinated('group', commit.groupId, async (lane) => {
        const code = await lane.send(commitInTransaction(this.id, identity, commit))
        if (code !== 0) throw new KafkaError(code, `position of ${commit.groupId}`)
      }),
    )
  }

  /** A transaction that ended is told so again: asking twice does no harm. */
  async #end(identity: ProducerIdentity, commit: boolean): Promise<void> {
    const answer = await this.#patiently(() =>
      this.#cluster.coordinated('transaction', this.id, async (lane) => {
        const ended = await lane.send(endTransaction(this.id, identity, commit))
        if (ended.errorCode !== 0) throw new KafkaError(ended.errorCode, `end of the transaction ${this.id}`)
        return ended
      }),
    )
    this.#identity = { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  }

  /** As well as it can be: what stays open is aborted by the next to use the id, or by the server after its time limit. */
  async #abort(identity: ProducerIdentity): Promise<void> {
    try {
      await this.#end(identity, false)
    } catch {
      this.#identity = undefined
    }
  }

  /** The server ends the transaction before; that takes a moment. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    const { clock, random } = this.#cluster.host
    const deadlineMs = clock.monotonicMs() + this.#cluster.settings.timeoutMs
    for (let round = 0; ; round += 1) {
      try {
        return await work()
      } catch (error) {
        const isConcurrent = hasCode(error, kafkaCodes.concurrentTransactions)
        if (!(isConcurrent || this.#cluster.mayRetry(error)) || clock.monotonicMs() >= deadlineMs) throw error
        if (this.#cluster.isClosed) throw new ConnectionError('the engine is closed', { cause: error })
        if (isConcurrent) await rest(clock, concurrentRestMs * (1 + random()))
        else await this.#cluster.pause(backoffMs(round, random))
      }
    }
  }
}

interface Portion {
  readonly topic: string
  readonly partition: number
  readonly records: Routed['record'][]
  bytes: number
}

/** A request has one batch of a partition, and a batch has its limit: the rest goes in rounds behind it. */
function rounds(records: readonly Routed[], bytesMax: number): Portion[][] {
  const found: Map<string, Portion>[] = []
  const last = new Map<string, number>()
  for (const { topic, partition, record, bytes } of records) {
    const place = `${topic}/${partition}`
    let at = last.get(place) ?? 0
    const current = found[at]?.get(place)
    if (current !== undefined && current.bytes + bytes > bytesMax) at += 1
    last.set(place, at)
    const round = found[at] ?? new Map<string, Portion>()
    found[at] = round
    const portion = round.get(place)
    if (portion === undefined) {
      round.set(place, { topic, partition, records: [record], bytes })
    } else {
      portion.records.push(record)
      portion.bytes += bytes
    }
  }
  return found.map((round) => [...round.values()])
}

/** The transactional ids of one engine: as many as there are transactions at the same time, used in turn. */
export class Transactors {
  readonly #cluster: Cluster
  readonly #idOf: (number: number) => string
  readonly #free: Transactor[] = []
  #made = 0

  constructor(cluster: Cluster, idOf: (number: number) => string) {
    this.#cluster = cluster
    this.#idOf = idOf
  }

  /** Runs one transaction. What it throws says that nothing stands, but for ends that were not answered. */
  async run(work: TransactionWork): Promise<void> {
    if (this.#cluster.isClosed) throw new PosthasteError('ENGINE_CLOSED', 'kafka engine: it is closed')
    // The one that was used longest ago: the server is done with its last transaction most likely.
    const spare = this.#free.length > spareMin ? this.#free.shift() : undefined
    const transactor = spare ?? new Transactor(this.#cluster, this.#idOf(this.#made++))
    try {
      await transactor.run(work)
    } finally {
      this.#free.push(transactor)
    }
  }
}

/** So many are kept back, so that one is not used right again; each costs the server a little. */
const spareMin = 2
