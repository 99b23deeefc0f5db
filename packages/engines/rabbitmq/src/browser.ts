import type {
  BrowsedRecord,
  BrowsePage,
  BrowseQuery,
  Browsing,
  Clock,
  Move,
  Outcome,
  RecordMatch,
} from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import type { Catalogue } from './catalogue.ts'
import { errorOf, fail, failed } from './errors.ts'
import { copyOf, type Held, heldOf } from './held.ts'
import type { Link } from './link.ts'
import { isForeign, isPosition } from './positions.ts'
import type { Publisher } from './publisher.ts'
import { isQuestion } from './queue-channels.ts'
import type { Received } from './record-codec.ts'
import type { KnownChannel } from './settings-text.ts'

/** What looking into queues needs. */
export interface BrowserDeps {
  readonly link: Link
  readonly catalogue: Catalogue
  readonly publisher: Publisher
  readonly clock: Clock
  readonly timeoutMs: number
}

/**
 * Looks into queues by taking all that stands there and putting it back: a quorum queue has no other way. What was returned
 * would be counted by the server as if its member had vanished, so copies are put in its place; only in key ranges, where the
 * order decides and the count does not, it is returned. Of a queue that is consumed it sees what is not handed over at that
 * moment. One at a time per queue in this process.
 */
export class Browser implements Browsing {
  readonly #deps: BrowserDeps
  readonly #turns = new Map<string, Promise<unknown>>()

  constructor(deps: BrowserDeps) {
    this.#deps = deps
  }

  async browse({ channel: name, after, limit, match }: BrowseQuery): Promise<BrowsePage> {
    const channel = await this.#find(name)
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax)
      throw fail('INVALID_ARGUMENT', `browse of ${name}: limit ${limit} is not within 1 to ${limitMax}`)
    if (after !== undefined && !isPosition(after))
      throw fail('INVALID_ARGUMENT', `browse of ${name}: ${after} is no position of this engine`)
    // What a group of a log has not settled is that group's; beside it a log keeps nothing here.
    if (channel.spec.kind === 'log') return { records: [], next: undefined }
    const nowMs = this.#deps.clock.nowMs()
    const found = await this.#inTurn(channel, async ({ taken }) =>
      taken.filter(
        ({ browsed, held }) => held.decoded.visibleAtMs <= nowMs && (after === undefined || browsed.position > after),
      ),
    )
    const records = found.map(({ browsed }) => browsed).filter((each) => match === undefined || fits(each, match))
    records.sort((a, b) => (a.position < b.position ? -1 : 1))
    const page = records.slice(0, limit)
    return { records: page, next: records.length > limit ? page.at(-1)?.position : undefined }
  }

  async move(name: string, moves: readonly Move[]): Promise<readonly Outcome[]> {
    const channel = await this.#find(name)
    if (channel.spec.kind === 'log') throw fail('FAILED_PRECONDITION', `channel ${name}: a log keeps its records`)
    if (moves.length === 0) return []
    return this.#inTurn(channel, async ({ taken, ack }) => {
      const standing = new Map(taken.map((each) => [each.browsed.position, each]))
      const outcomes = moves.map(async ({ position, publish }): Promise<Outcome> => {
        const found = standing.get(position)
        standing.delete(position)
        if (found === undefined) return failed(fail('NOT_FOUND', `position ${position} of ${name}: nothing is there`))
        const published = await this.#deps.publisher.publish(publish)
        const failure = published.find(({ ok }) => !ok)
        if (failure === undefined) ack(found)
        return failure ?? { ok: true }
      })
      return Promise.all(outcomes)
    })
  }

  async #find(name: string): Promise<KnownChannel> {
    const channel = await this.#deps.catalogue.find(name)
    if (channel === undefined) throw fail('NOT_FOUND', `channel ${name}: it is not declared`)
    return channel
  }

  async #inTurn<T>(channel: KnownChannel, work: (all: Taken) => Promise<T>): Promise<T> {
    const { name } = channel.spec
    const before = this.#turns.get(name) ?? Promise.resolve()
    const mine = before.then(() => this.#withAll(channel, work))
    const settled = mine.catch(() => {})
    this.#turns.set(name, settled)
    try {
      return await mine
    } finally {
      if (this.#turns.get(name) === settled) this.#turns.delete(name)
    }
  }

  async #withAll<T>({ spec, keyRanges }: KnownChannel, work: (all: Taken) => Promise<T>): Promise<T> {
    const { link, catalogue, timeoutMs } = this.#deps
    await link.up(timeoutMs)
    const base = catalogue.names.queue(spec.name, undefined)
    const queues =
      keyRanges === 0 ? [base] : Array.from({ length: keyRanges }, (_, range) => catalogue.names.range(base, range))
    const channel = await link.channel()
    try {
      const all: Held[] = []
      for (const queue of queues) all.push(...(await this.#takeAll(channel, { queue, name: spec.name })))
      const taken = recordsOf(all)
      const done = new Set<TakenRecord>()
      const result = await work({ taken, ack: (each) => done.add(each) })
      if (taken.length > 0) await this.#putBack(channel, { queues, taken, done, isRanged: keyRanges > 0 })
      return result
    } catch (thrown) {
      throw errorOf(thrown, `looking into ${spec.name}`)
    } finally {
      await channel.close()
    }
  }

  async #takeAll(
    channel: Channel,
    { queue, name }: { readonly queue: string; readonly name: string },
  ): Promise<readonly Held[]> {
    const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
    if (messageCount === 0) return []
    if (queue.includes('#') && consumerCount > 0)
      throw fail('FAILED_PRECONDITION', `channel ${name}: a key range that is being consumed cannot be looked into`)
    const taken: Held[] = []
    let seen = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    // Whoever consumes the queue may have the rest: then no more comes, and nobody says so.
    const whenIdle = () => this.#deps.clock.setTimer(idleMs, resolve)
    let timer = whenIdle()
    const [, { consumerTag }] = await Promise.all([
      channel.basicQos({ prefetchCount: Math.min(lookedAtMax, messageCount) }),
      channel.basicConsume({ queue }, (message) => {
        seen += 1
        if (isQuestion(message)) channel.basicAck({ deliveryTag: message.deliveryTag })
        else taken.push(heldOf(message as Received, name))
        timer.cancel()
        if (seen >= Math.min(lookedAtMax, messageCount)) resolve()
        else timer = whenIdle()
      }),
    ])
    await promise
    timer.cancel()
    await channel.basicCancel(consumerTag)
    return taken
  }

  /** Acknowledges what was moved, and puts the rest back. */
  async #putBack(channel: Channel, { queues, taken, done, isRanged }: PuttingBack): Promise<void> {
    const ack = (each: TakenRecord): void => {
      for (const deliveryTag of each.deliveryTags) channel.basicAck({ deliveryTag })
    }
    const rest = taken.filter((each) => !done.has(each))
    for (const each of done) ack(each)
    if (isRanged) {
      for (const { deliveryTags } of rest)
        for (const deliveryTag of deliveryTags) channel.basicNack({ deliveryTag, requeue: true })
    } else {
      const [routingKey = ''] = queues
      const target = { exchange: '', routingKey, mandatory: true }
      const outcomes = await this.#deps.publisher.send(
        rest.map(({ held }) => copyOf(held, { target, countsAttempt: false, visibleAtMs: laterOf(held) })),
      )
      for (const [at, each] of rest.entries()) if (outcomes[at]?.ok) ack(each)
    }
    await this.#untilStanding(channel, queues, rest.length)
  }

  /** The server answers before it has done all that it was told. */
  async #untilStanding(channel: Channel, queues: readonly string[], count: number): Promise<void> {
    const deadlineMs = this.#deps.clock.monotonicMs() + returnMs
    for (let standing = -1; standing < count; ) {
      if (this.#deps.clock.monotonicMs() > deadlineMs) return
      standing = 0
      for (const queue of queues) standing += (await channel.queueDeclare({ queue, passive: true })).messageCount
      if (standing < count) await new Promise<void>((resolve) => this.#deps.clock.setTimer(1, resolve))
    }
  }
}

/** Everything of a queue, for as long as it is looked at. */
interface Taken {
  readonly taken: readonly TakenRecord[]
  /** It is not to be given back. */
  readonly ack: (record: TakenRecord) => void
}

interface TakenRecord {
  /** Several where somebody who looked before was cut off between putting a copy back and acknowledging. */
  readonly deliveryTags: number[]
  readonly held: Held
  readonly browsed: BrowsedRecord
}

interface PuttingBack {
  readonly queues: readonly string[]
  readonly taken: readonly TakenRecord[]
  readonly done: ReadonlySet<TakenRecord>
  readonly isRanged: boolean
}

const limitMax = 10_000
/** What the protocol lets stand unacknowledged: a queue is seen as deep as this. */
const lookedAtMax = 65_535
const idleMs = 250
const returnMs = 250

/** A record each, where several copies of one came. */
function recordsOf(all: readonly Held[]): readonly TakenRecord[] {
  const known = new Map<string, TakenRecord>()
  return all.flatMap((held) => {
    const { record, position, storedAtMs } = held.decoded
    const same = known.get(position)
    if (same?.browsed.record.id === record.id) {
      same.deliveryTags.push(held.deliveryTag)
      return []
    }
    const taken = { deliveryTags: [held.deliveryTag], held, browsed: { position, storedAtMs, record } }
    if (!isForeign(position)) known.set(position, taken)
    return [taken]
  })
}

/** When a release was to come again, which its copy says again. */
function laterOf({ decoded: { visibleAtMs, record } }: Held): number | undefined {
  return visibleAtMs === (record.dueAtMs ?? 0) ? undefined : visibleAtMs
}

function fits({ record, storedAtMs }: BrowsedRecord, match: RecordMatch): boolean {
  const { id, key, correlationId, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = match
  if (id !== undefined && id !== record.id) return false
  if (key !== undefined && key !== record.key) return false
  if (correlationId !== undefined && correlationId !== (record.headers.correlationid ?? record.id)) return false
  return sinceMs <= storedAtMs && storedAtMs < untilMs
}
