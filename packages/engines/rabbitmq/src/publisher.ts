import {
  type Clock,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  succeeded,
  type Timer,
} from '@posthaste/contracts'
import type { Channel, Envelope } from 'rabbitmq-client'
import type { Catalogue, Target } from './catalogue.ts'
import { errorOf, fail, failed } from './errors.ts'
import { closedError, type Link } from './link.ts'
import { Stamps } from './positions.ts'
import { bufferOf, encode, markNames, refusalOf } from './record-codec.ts'
import { within } from './timely.ts'
import type { Waiting } from './waiting.ts'

/** A message that knows where it goes. */
export interface Outbound {
  readonly envelope: Envelope
  readonly body: Buffer
}

/** Puts an address on a message. */
export function addressed(envelope: Envelope, { exchange, routingKey, mandatory, headers }: Target): Envelope {
  envelope.exchange = exchange
  envelope.routingKey = routingKey
  if (mandatory) envelope.mandatory = true
  if (headers !== undefined) envelope.headers = { ...headers, ...envelope.headers }
  return envelope
}

/** What publishing needs. */
export interface PublisherDeps {
  readonly link: Link
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly timeoutMs: number
  /** Counts what waits for its time. */
  readonly waiting: Waiting
}

/**
 * Publishes on one channel with confirms, without waiting for one before sending the next, so that the order of the calls
 * is the order on the server. While there is no connection, or a channel must be looked up, calls wait in their order.
 */
export class Publisher {
  readonly #deps: PublisherDeps
  readonly #stamps = new Stamps()
  readonly #calls = new Set<Call>()
  readonly #returned = new Map<string, string>()
  #channel: Channel | undefined
  #tail: Promise<void> = Promise.resolve()
  #queued = 0
  #timer: Timer | undefined
  #isClosed = false

  constructor(deps: PublisherDeps) {
    this.#deps = deps
  }

  /** A new stamp for a record that is published under one of our own marks. */
  stamp(): string {
    return this.#stamps.next(this.#deps.clock.nowMs())
  }

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    if (this.#isClosed) return Promise.reject(closedError())
    if (records.length === 0) return Promise.resolve([])
    const isReady = this.#queued === 0 && this.#channel?.active === true && this.#knowsAll(records)
    if (isReady) return this.#transmit(records.map((record) => this.#messageOf(record)))
    return this.#inTurn(
      records.length,
      () => this.#findAll(records),
      () => records.map((record) => this.#messageOf(record)),
    )
  }

  /** The same for messages that are addressed already; in one order with what is published. */
  send(messages: readonly Outbound[]): Promise<readonly Outcome[]> {
    if (this.#isClosed) return Promise.reject(closedError())
    if (messages.length === 0) return Promise.resolve([])
    if (this.#queued === 0 && this.#channel?.active === true) return this.#transmit(messages)
    return this.#inTurn(
      messages.length,
      async () => {},
      () => messages,
    )
  }

  /** Answers what is under way, each within the time limit, and takes no more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#tail
    while (this.#calls.size > 0) await Promise.all(Array.from(this.#calls, ({ answered }) => answered))
    this.#timer?.cancel()
    await this.#channel?.close()
  }

  #knowsAll(records: readonly OutgoingRecord[]): boolean {
    const { catalogue } = this.#deps
    for (const { channel } of records) if (catalogue.get(channel) === undefined) return false
    return true
  }

  async #findAll(records: readonly OutgoingRecord[]): Promise<void> {
    for (const channel of new Set(records.map((record) => record.channel))) await this.#deps.catalogue.find(channel)
  }

  async #inTurn(
    count: number,
    find: () => Promise<void>,
    messages: () => readonly (Outbound | PosthasteError)[],
  ): Promise<readonly Outcome[]> {
    const { clock, timeoutMs } = this.#deps
    const deadlineMs = clock.monotonicMs() + timeoutMs
    this.#queued += 1
    const turn = this.#tail.then(async () => {
      await this.#open(deadlineMs)
      await find()
    })
    this.#tail = turn.catch(() => {})
    try {
      // What it waits for has limits of its own, one after the other: all of it has this one.
      await within({ clock, timeoutMs }, 'publishing', turn)
    } catch (thrown) {
      const outcome = failed(errorOf(thrown, 'publishing'))
      return Array.from({ length: count }, () => outcome)
    } finally {
      this.#queued -= 1
    }
    return this.#transmit(messages())
  }

  async #open(deadlineMs: number): Promise<void> {
    const { link, clock } = this.#deps
    while (this.#channel?.active !== true) {
      await link.up(deadlineMs - clock.monotonicMs())
      try {
        const channel = await link.channel()
        channel.on('basic.return', ({ headers, replyText }) => {
          this.#returned.set(String(headers?.[markNames.position]), replyText)
        })
        await channel.confirmSelect()
        this.#channel = channel
      } catch (thrown) {
        if (clock.monotonicMs() >= deadlineMs) throw errorOf(thrown, 'opening a channel for publishing')
        await new Promise<void>((resolve) => clock.setTimer(retryMs, resolve))
      }
    }
  }

  #messageOf(record: OutgoingRecord): Outbound | PosthasteError {
    const { catalogue, clock, waiting } = this.#deps
    const channel = catalogue.get(record.channel)
    if (channel === undefined) return fail('NOT_FOUND', `channel ${record.channel}: it is not declared`)
    const refusal = refusalOf(record)
    if (refusal !== undefined) return refusal
    const { dueAtMs } = record
    const nowMs = clock.nowMs()
    const waitMs = dueAtMs === undefined ? 0 : dueAtMs - nowMs
    const target = catalogue.targetOf(channel, record, waitMs)
    if (target === undefined) return unknownGroup(record)
    if (waitMs > 0) waiting.add(record.channel, record.group, nowMs + waitMs)
    const envelope = addressed(encode(record, this.#stamps.next(nowMs)), target)
    return { envelope, body: bufferOf(record.body) }
  }

  #transmit(messages: readonly (Outbound | PosthasteError)[]): Promise<readonly Outcome[]> {
    const channel = this.#channel
    const { promise, resolve } = Promise.withResolvers<readonly Outcome[]>()
    const outcomes: Outcome[] = new Array(messages.length).fill(succeeded)
    let [open, isReturnable] = [1, false]
    const call: Call = {
      deadlineMs: this.#deps.clock.monotonicMs() + this.#deps.timeoutMs,
      answered: promise,
      expire: () => resolve(outcomes.map((each, at) => (pending.has(at) ? this.#unanswered : each))),
    }
    const pending = new Set<number>()
    const answer = (at: number, outcome: Outcome): void => {
      pending.delete(at)
      if (!outcome.ok) outcomes[at] = outcome
      if (--open === 0) finish()
    }
    const finish = (): void => {
      this.#calls.delete(call)
      // A record that came back was told before its confirm, in a turn of its own that has begun by then.
      if (isReturnable) setImmediate(() => resolve(this.#withReturned(messages, outcomes)))
      else resolve(outcomes)
    }
    this.#calls.add(call)
    for (const [at, message] of messages.entries()) {
      if (message instanceof PosthasteError) {
        outcomes[at] = failed(message)
        continue
      }
      open += 1
      pending.add(at)
      isReturnable ||= message.envelope.mandatory === true
      if (channel === undefined) answer(at, failed(fail('UNAVAILABLE', 'there is no channel to publish on')))
      else
        channel.basicPublish(message.envelope, message.body).then(
          () => answer(at, succeeded),
          (thrown) => answer(at, failed(notConfirmed(thrown))),
        )
    }
    if (--open === 0) finish()
    else this.#watch()
    return promise
  }

  #withReturned(messages: readonly (Outbound | PosthasteError)[], outcomes: Outcome[]): readonly Outcome[] {
    if (this.#returned.size === 0) return outcomes
    for (const [at, message] of messages.entries()) {
      if (message instanceof PosthasteError) continue
      const { headers, routingKey, exchange } = message.envelope
      const stamp = String(headers?.[markNames.position])
      const text = this.#returned.get(stamp)
      if (text === undefined) continue
      this.#returned.delete(stamp)
      const where = exchange === '' ? `queue ${routingKey}` : `exchange ${exchange}`
      outcomes[at] = failed(fail('NOT_FOUND', `nobody takes the record: ${text} (${where})`))
    }
    return outcomes
  }

  get #unanswered(): Outcome {
    return failed(fail('UNAVAILABLE', `not confirmed within ${this.#deps.timeoutMs} ms`))
  }

  /** One timer for all calls: they end in the order in which they began, or nearly so. */
  #watch(): void {
    const { clock, timeoutMs } = this.#deps
    this.#timer ??= clock.setTimer(Math.ceil(timeoutMs / 10), () => {
      this.#timer = undefined
      for (const call of this.#calls) {
        if (call.deadlineMs > clock.monotonicMs()) break
        this.#calls.delete(call)
        call.expire()
      }
      if (this.#calls.size > 0) this.#watch()
    })
  }
}

/** One call of `publish` that was sent. */
interface Call {
  readonly deadlineMs: number
  readonly answered: Promise<unknown>
  readonly expire: () => void
}

const retryMs = 100

function unknownGroup({ channel, group }: OutgoingRecord): PosthasteError {
  return fail('NOT_FOUND', `group ${group} of ${channel}: it is not declared`)
}

/**
 * What kills the channel is told to one publish and not always to the one that did it, so none is called wrong for it: all
 * that is certain is that they were not confirmed.
 */
function notConfirmed(thrown: unknown): PosthasteError {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  return new PosthasteError('UNAVAILABLE', `rabbitmq: not confirmed: ${text}`, { cause: thrown })
}
