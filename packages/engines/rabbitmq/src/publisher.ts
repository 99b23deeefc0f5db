import { type Clock, type Outcome, type OutgoingRecord, PosthasteError, succeeded } from '@posthaste/contracts'
import type { Catalogue } from './catalogue.ts'
import { errorOf, fail, failed } from './errors.ts'
import { isLadder } from './ladder.ts'
import { addressed, Lane, type Outbound } from './lane.ts'
import { closedError, type Link } from './link.ts'
import { Stamps } from './positions.ts'
import { bufferOf, encode, refusalOf } from './record-codec.ts'
import { within } from './timely.ts'
import type { Waiting } from './waiting.ts'

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
 * is the order on the server. While there is no connection, the server takes nothing, or a channel must be looked up, calls
 * wait in their order, and nothing of them is on its way.
 *
 * A queue without a leader confirms nothing, and the server lets it hold up all that is published over that connection. So
 * a target that confirms nothing in time has the connection made anew, and is published to one message at a time and over a
 * channel apart until it confirms one.
 */
export class Publisher {
  readonly #deps: PublisherDeps
  readonly #stamps = new Stamps()
  /** Targets that confirm nothing, and what is being tried on them. */
  readonly #stuck = new Map<string, Promise<Outcome> | undefined>()
  #lane: Lane | undefined
  #tail: Promise<void> = Promise.resolve()
  #queued = 0
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
    if (this.#isReady && this.#knowsAll(records))
      return this.#transmit(records.map((record) => this.#messageOf(record)))
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
    if (this.#isReady) return this.#transmit(messages)
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
    await this.#lane?.idle()
    await Promise.all(this.#stuck.values())
    await this.#lane?.close()
  }

  /** Nobody waits, and there is nothing to wait for. */
  get #isReady(): boolean {
    return this.#queued === 0 && this.#lane?.isActive === true && !this.#deps.link.isBlocked
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
    while (this.#lane?.isActive !== true || link.isBlocked) {
      await link.up(deadlineMs - clock.monotonicMs())
      try {
        if (link.isBlocked) throw fail('UNAVAILABLE', 'the server takes nothing for now')
        if (this.#lane?.isActive !== true) this.#lane = await this.#newLane()
      } catch (thrown) {
        if (clock.monotonicMs() >= deadlineMs) throw errorOf(thrown, 'opening a channel for publishing')
        await new Promise<void>((resolve) => clock.setTimer(retryMs, resolve))
      }
    }
  }

  async #newLane(): Promise<Lane> {
    const { link, clock, timeoutMs } = this.#deps
    const channel = await link.channel()
    try {
      await channel.confirmSelect()
      return new Lane(channel, { clock, timeoutMs, onStuck: (lane, first) => this.#suspect(lane, first) })
    } catch (thrown) {
      void channel.close()
      throw thrown
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
    const lane = this.#lane
    if (lane?.isActive !== true) {
      const outcome = failed(fail('UNAVAILABLE', 'there is no channel to publish on'))
      return Promise.resolve(messages.map(() => outcome))
    }
    return this.#stuck.size === 0 ? lane.transmit(messages) : this.#transmitApart(lane, messages)
  }

  // ── Targets that confirm nothing ──────────────────────────────────────────────────────────────────────────────────

  #suspect(lane: Lane, first: Outbound): void {
    const { link } = this.#deps
    // A server without memory or disk takes nothing from anybody.
    if (link.isBlocked || !link.isUp) return
    const target = targetKey(first)
    if (!this.#stuck.has(target)) this.#stuck.set(target, undefined)
    if (lane === this.#lane) link.drop(fail('UNAVAILABLE', `${target} confirmed nothing in time`))
  }

  async #transmitApart(lane: Lane, messages: readonly (Outbound | PosthasteError)[]): Promise<readonly Outcome[]> {
    const tried = new Map<number, Promise<Outcome>>()
    const rest = messages.map((message, at) => {
      if (message instanceof PosthasteError) return message
      const target = targetKey(message)
      if (!this.#stuck.has(target)) return message
      if (this.#stuck.get(target) !== undefined) return stuckError(target)
      const trial = this.#try(target, message)
      this.#stuck.set(target, trial)
      tried.set(at, trial)
      return stuckError(target)
    })
    const outcomes = await lane.transmit(rest)
    return Promise.all(outcomes.map((outcome, at) => tried.get(at) ?? outcome))
  }

  async #try(target: string, message: Outbound): Promise<Outcome> {
    let lane: Lane | undefined
    try {
      lane = await this.#newLane()
      const [outcome = succeeded] = await lane.transmit([message])
      if (outcome.ok || outcome.error.code !== 'UNAVAILABLE') this.#stuck.delete(target)
      return outcome
    } catch (thrown) {
      return failed(errorOf(thrown, `publishing to ${target}`))
    } finally {
      if (this.#stuck.has(target)) this.#stuck.set(target, undefined)
      void lane?.close()
    }
  }
}

const retryMs = 100

/** What confirms or does not: a queue, or what is behind an exchange and a routing key. */
function targetKey({ envelope: { exchange = '', routingKey = '' } }: Outbound): string {
  if (exchange === '') return `queue ${routingKey}`
  return isLadder(exchange) ? `exchange ${exchange}` : `exchange ${exchange} with the routing key ${routingKey}`
}

function stuckError(target: string): PosthasteError {
  return fail(
    'UNAVAILABLE',
    `${target} has not confirmed what it was sent, and is being tried with one message at a time`,
  )
}

function unknownGroup({ channel, group }: OutgoingRecord): PosthasteError {
  return fail('NOT_FOUND', `group ${group} of ${channel}: it is not declared`)
}
