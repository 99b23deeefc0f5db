import type { Cluster } from './cluster.ts'
import { isTransient, KafkaError, kafkaCodes } from './errors.ts'
import type { Range } from './range.ts'
import { offsetsOf } from './scan.ts'
import { backoffMs } from './waiting.ts'
import { type Fetched, type FetchPlace, fetchRecords } from './wire/fetch.ts'

/** So long does a request wait at the server for something to read. */
const waitMsMax = 250
const bytesMax = 8 * 1_048_576
const partitionBytesMax = 1_048_576
/**
 * Requests that wait at one server at the same time: a range that wants to be read must not wait until a request that
 * knows nothing of it comes back.
 */
const lanesPerBroker = 2
/** Within this ranges that are given at the same time are loaded, as a rule. */
const gatheringMs = 20

/** Reads the ranges of one subscription from the brokers that lead them. */
export class Fetcher {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #purpose: string
  readonly #ranges: ReadonlyMap<number, Range>
  readonly #onFetched: () => void
  /** Partitions in a request that is under way. */
  readonly #asked = new Set<number>()
  readonly #busy = new Set<string>()
  #stopped = false
  #resting = false
  #waking = false
  #failures = 0

  constructor(
    cluster: Cluster,
    source: { readonly topic: string; readonly purpose: string; readonly ranges: ReadonlyMap<number, Range> },
    onFetched: () => void,
  ) {
    this.#cluster = cluster
    this.#topic = source.topic
    this.#purpose = source.purpose
    this.#ranges = source.ranges
    this.#onFetched = onFetched
  }

  /** Looks whether a range wants more, and asks for it. */
  wake(): void {
    if (this.#stopped || this.#resting) return
    const topic = this.#cluster.topicIfKnown(this.#topic)
    if (topic === undefined) return void this.#recover(new KafkaError(kafkaCodes.unknownTopic, this.#topic))
    const byLeader = new Map<number, FetchPlace[]>()
    for (const range of this.#ranges.values()) {
      if (!range.wantsMore || this.#asked.has(range.partition)) continue
      const leader = topic.leaders[range.partition] ?? -1
      const place = { topic: this.#topic, topicId: topic.id, partition: range.partition, offset: range.fetchAt }
      const places = byLeader.get(leader)
      if (places === undefined) byLeader.set(leader, [place])
      else places.push(place)
    }
    for (const [leader, places] of byLeader) {
      for (let at = 0; at < lanesPerBroker; at += 1) {
        const lane = `${leader}/${at}`
        if (this.#busy.has(lane)) continue
        void this.#fetch(leader, at, places)
        break
      }
    }
  }

  /** The same a moment later, so that ranges which come one after the other are asked for in one request. */
  wakeSoon(): void {
    if (this.#waking) return
    this.#waking = true
    this.#cluster.host.clock.setTimer(gatheringMs, () => {
      this.#waking = false
      this.wake()
    })
  }

  stop(): void {
    this.#stopped = true
    for (let at = 0; at < lanesPerBroker; at += 1) this.#cluster.end(`${this.#purpose}/${at}`)
  }

  async #fetch(leader: number, at: number, places: readonly FetchPlace[]): Promise<void> {
    const name = `${leader}/${at}`
    this.#busy.add(name)
    for (const { partition } of places) this.#asked.add(partition)
    let failure: unknown
    try {
      const lane = this.#cluster.lane(leader, `${this.#purpose}/${at}`)
      const found = await lane.send(fetchRecords(places, { waitMsMax, bytesMax, partitionBytesMax }))
      if (this.#stopped) return
      for (const each of found) await this.#take(each, places)
      this.#failures = 0
    } catch (error) {
      failure = error
    } finally {
      this.#busy.delete(name)
      for (const { partition } of places) this.#asked.delete(partition)
    }
    if (this.#stopped) return
    if (failure !== undefined) return this.#recover(failure)
    this.#onFetched()
    this.wake()
  }

  async #take(fetched: Fetched, places: readonly FetchPlace[]): Promise<void> {
    const range = this.#ranges.get(fetched.partition)
    const place = places.find(({ partition }) => partition === fetched.partition)
    // Another time the range was given to this member, perhaps.
    if (range === undefined || place === undefined || range.fetchAt !== place.offset) return
    if (fetched.errorCode === kafkaCodes.offsetOutOfRange) return this.#reset(range)
    if (fetched.errorCode !== 0) throw new KafkaError(fetched.errorCode, `partition ${range.name} of ${this.#topic}`)
    range.take(fetched)
  }

  /** The place is not there any more: somebody has deleted records, or time has. */
  async #reset(range: Range): Promise<void> {
    const partitions = [range.partition]
    const [first, end] = await Promise.all([
      offsetsOf(this.#cluster, this.#topic, { partitions, at: 'first' }),
      offsetsOf(this.#cluster, this.#topic, { partitions, at: 'end' }),
    ])
    const start = first.get(range.partition) ?? 0
    const { log } = this.#cluster.host
    const fields = { topic: this.#topic, partition: range.partition, wanted: range.fetchAt, start }
    if (range.fetchAt < start) {
      log.warn('kafka engine: records are gone that the group has not read', fields)
      range.startAt(start)
    } else {
      log.error('kafka engine: the log ends before the position of the group', {
        ...fields,
        end: end.get(range.partition),
      })
      throw new KafkaError(kafkaCodes.offsetOutOfRange, `partition ${range.name} of ${this.#topic}`)
    }
  }

  async #recover(error: unknown): Promise<void> {
    if (this.#resting) return
    this.#resting = true
    const { log, random } = this.#cluster.host
    if (!isTransient(error)) log.warn('kafka engine: reading does not work', { topic: this.#topic, error })
    await this.#cluster.pause(backoffMs(this.#failures++, random))
    try {
      await this.#cluster.refresh([this.#topic])
    } catch {
      // The next round asks again.
    }
    this.#resting = false
    this.wake()
  }
}
