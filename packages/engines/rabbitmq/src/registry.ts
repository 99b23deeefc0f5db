import { type Clock, type Log, PosthasteError } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import type { Admin } from './admin.ts'
import type { Catalogue } from './catalogue.ts'
import { errorOf, fail, isReply } from './errors.ts'
import { Lane } from './lane.ts'
import { closedError, type Link } from './link.ts'
import type { Publisher } from './publisher.ts'
import type { QueueChannels } from './queue-channels.ts'
import { type Entry, entryMessage, keyOf, question, wordOf } from './registry-entries.ts'
import { Reading } from './registry-reading.ts'
import { type Patience, within } from './timely.ts'

/** What keeping the registry needs. */
export interface RegistryDeps {
  /** Over which entries are written. */
  readonly link: Link
  readonly admin: Admin
  /** Opens the registry to read it. */
  readonly channels: QueueChannels
  readonly publisher: Publisher
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly log: Log
  readonly timeoutMs: number
}

/**
 * The names of all channels and groups, since the protocol lists nothing: a list that can be read, and a set that can be
 * asked. The list is a queue with a message for each; who reads takes all of them for a moment, in turn with others, and gives
 * them back. The set is an exchange with a binding for each, so that asking for many is one step: what it knows it routes into
 * a queue that holds nothing, and what it does not know comes back. So what is declared again leaves no trace.
 *
 * An entry is written into the list before it joins the set, and leaves the set before the list: what is missing in the list
 * is in the set at no time, whoever ends in between, and is written again when it is declared the next time.
 */
export class Registry {
  /** There may be many entries of what is gone by now. */
  onGrown: () => void = () => {}
  readonly #deps: RegistryDeps
  #lane: Promise<Lane> | undefined
  /** What is not written yet. */
  readonly #owed = new Map<string, Entry>()
  /** The connection over which it could not be written. */
  #refusedOver: number | undefined
  #tail: Promise<unknown> = Promise.resolve()

  constructor(deps: RegistryDeps) {
    this.#deps = deps
  }

  /**
   * Writes what is missing. Nothing else needs it, so a failure is logged, and what is owed tried again with the next connection
   * or before it is read.
   */
  add(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) this.#owed.set(keyOf(entry), entry)
    return entries.length === 0 ? Promise.resolve() : this.#inTurn(() => this.#tryToWrite())
  }

  /**
   * Reads all entries, and takes out those that `examine` finds gone. One reader at a time, over all processes.
   * @throws what keeps this process from reading, or from writing its own: PERMISSION_DENIED UNAVAILABLE
   */
  async read<T>(examine: Examine<T>): Promise<T> {
    await this.#inTurn(() => this.#write())
    try {
      const channel = await this.#open()
      try {
        return await this.#examine(channel, examine)
      } finally {
        await channel.close()
      }
    } catch (thrown) {
      throw this.#error(thrown, 'read')
    }
  }

  async close(): Promise<void> {
    const lane = await this.#lane?.catch(() => undefined)
    await lane?.close()
  }

  // ── Writing ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(work)
    this.#tail = turn.catch(() => {})
    return turn
  }

  /** The queues may be without a leader, and not answer. */
  get #patience(): Patience {
    const { clock, timeoutMs } = this.#deps
    return { clock, timeoutMs: Math.min(timeoutMs, writtenMs) }
  }

  async #tryToWrite(): Promise<void> {
    const { link, log } = this.#deps
    const { generation } = link
    if (this.#refusedOver === generation) return
    try {
      await this.#write()
    } catch (thrown) {
      const cause = errorOf(thrown, 'the registry')
      this.#refusedOver = generation
      log.warn('rabbitmq: what is declared here will not be listed', { cause, remedy: cause.remedy })
    }
  }

  async #write(): Promise<void> {
    const owed = [...this.#owed.values()]
    if (owed.length === 0) return
    try {
      if (this.#deps.link.isBlocked) throw fail('UNAVAILABLE', 'the server takes nothing for now')
      await within(this.#patience, 'the queue', this.#writeMissing(owed))
    } catch (thrown) {
      throw this.#error(thrown, 'written')
    }
    for (const entry of owed) this.#owed.delete(keyOf(entry))
  }

  async #writeMissing(owed: readonly Entry[]): Promise<void> {
    const missing = await this.#missing(owed)
    if (missing.length > 0) await this.#append(missing)
  }

  async #missing(entries: readonly Entry[]): Promise<readonly Entry[]> {
    const { catalogue } = this.#deps
    const lane = await this.#openLane()
    const questions = entries.map((entry) => question(catalogue.names.registry, wordOf(catalogue, entry)))
    const outcomes = await lane.transmit(questions)
    return entries.filter((_, at) => {
      const outcome = outcomes[at]
      if (outcome === undefined || outcome.ok) return false
      if (outcome.error.code !== 'NOT_FOUND') throw outcome.error
      return true
    })
  }

  async #append(missing: readonly Entry[]): Promise<void> {
    const { catalogue } = this.#deps
    const { messageCount } = await this.#declareList()
    const lane = await this.#openLane()
    for (const outcome of await lane.transmit(missing.map((entry) => entryMessage(catalogue.names.registry, entry))))
      if (!outcome.ok) throw outcome.error
    await Promise.all(missing.map((entry) => this.#bind(entry)))
    if (Math.floor((messageCount + missing.length) / tidiedEvery) > Math.floor(messageCount / tidiedEvery))
      this.onGrown()
  }

  async #openLane(): Promise<Lane> {
    if ((await this.#lane?.catch(() => undefined))?.isActive !== true) this.#lane = this.#newLane()
    return this.#lane as Promise<Lane>
  }

  /** A lane of its own: what the server refuses here ends nobody else's. */
  async #newLane(): Promise<Lane> {
    const { link } = this.#deps
    await this.#declare()
    const channel = await link.channel()
    try {
      await channel.confirmSelect()
      return new Lane(channel, { ...this.#patience, onStuck: (stuck) => void stuck.close() })
    } catch (thrown) {
      void channel.close()
      throw thrown
    }
  }

  async #declare(): Promise<void> {
    const { admin, catalogue } = this.#deps
    const { registry: exchange, registered: queue } = catalogue.names
    await this.#declareList()
    await admin.run(async (channel) => {
      await channel.exchangeDeclare({ exchange, type: 'direct', durable: true })
      await channel.queueDeclare({ queue, durable: true, arguments: { 'x-queue-type': 'quorum', 'x-max-length': 0 } })
    })
  }

  #declareList() {
    const queue = this.#deps.catalogue.names.registry
    return this.#deps.admin.run((channel) => channel.queueDeclare({ queue, durable: true, arguments: list }))
  }

  async #bind(entry: Entry): Promise<void> {
    const { admin, catalogue } = this.#deps
    const { registry: exchange, registered: queue } = catalogue.names
    await admin.run((channel) => channel.queueBind({ exchange, queue, routingKey: wordOf(catalogue, entry) }))
  }

  async #unbind(entry: Entry): Promise<void> {
    const { admin, catalogue } = this.#deps
    const { registry: exchange, registered: queue } = catalogue.names
    await admin.run((channel) => channel.queueUnbind({ exchange, queue, routingKey: wordOf(catalogue, entry) }))
  }

  // ── Reading ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<Channel> {
    const { channels, catalogue } = this.#deps
    const queues = [catalogue.names.registry]
    try {
      return await channels.open(queues, true)
    } catch (thrown) {
      if (!isReply(thrown, 'NOT_FOUND')) throw thrown
      // Whoever may not make it either is told so, instead of that there is nothing.
      await this.#declare()
      return await channels.open(queues, true)
    }
  }

  async #examine<T>(channel: Channel, examine: Examine<T>): Promise<T> {
    const { catalogue, publisher, clock, timeoutMs } = this.#deps
    const reading = new Reading({ channel, queue: catalogue.names.registry, publisher, clock, timeoutMs })
    const { entries, repeated, leftOver } = await reading.take()
    const { found, gone } = await examine(Array.from(entries.values(), ({ entry }) => entry))
    const isGone = new Set(gone)
    const forgotten = await this.#forget(
      [...entries.values()].filter(({ entry }) => isGone.has(entry)),
      examine,
    )
    await reading.takeOut([...repeated, ...leftOver, ...forgotten])
    return found
  }

  /**
   * Takes entries out of the set, and tells which messages may leave the list. What is made again meanwhile is seen by the
   * second look, or not found in the set by whoever makes it.
   */
  async #forget<T>(gone: readonly Taken[], examine: Examine<T>): Promise<readonly number[]> {
    if (gone.length === 0) return []
    try {
      await Promise.all(gone.map(({ entry }) => this.#unbind(entry)))
      const still = new Set((await examine(gone.map(({ entry }) => entry))).gone)
      const kept = gone.filter(({ entry }) => !still.has(entry))
      await Promise.all(kept.map(({ entry }) => this.#bind(entry)))
      return gone.filter(({ entry }) => still.has(entry)).map(({ deliveryTag }) => deliveryTag)
    } catch (cause) {
      // Whoever may only read is told what there is all the same.
      this.#deps.log.debug('rabbitmq: what is gone stays in the registry', { cause })
      return []
    }
  }

  #error(thrown: unknown, how: 'read' | 'written'): PosthasteError {
    const { registry, registered } = this.#deps.catalogue.names
    // Of a publish that the server refuses all that is known for sure is that it was not confirmed; here there is no other.
    const refused = PosthasteError.is(thrown) && isReply(thrown.cause, 'ACCESS_REFUSED')
    const { code, message, remedy } = errorOf(refused ? thrown.cause : thrown, 'the server')
    if (code === 'ENGINE_CLOSED') return closedError()
    const text = message.replace(/^\[\w+\] (rabbitmq: )?/, '')
    return new PosthasteError(code, `rabbitmq: the registry of channels and groups cannot be ${how}: ${text}`, {
      cause: thrown,
      remedy:
        code === 'PERMISSION_DENIED' ? `Let the user configure, write and read ${registry} and ${registered}.` : remedy,
    })
  }
}

/** Looks at entries: what it makes of them, and which of them are gone from the server. */
export type Examine<T> = (entries: readonly Entry[]) => Promise<{ readonly found: T; readonly gone: readonly Entry[] }>

interface Taken {
  readonly entry: Entry
  readonly deliveryTag: number
}

/** More than this is not kept, so that a fence is always within what a reader can take, 65,535. */
const entriesMax = 60_000
/** Temporary groups that ended stay in it until somebody looks: after so many more entries, one who writes does. */
const tidiedEvery = 1_000
/** Declaring waits for no longer than this. */
const writtenMs = 5_000

const list = {
  'x-queue-type': 'quorum',
  'x-single-active-consumer': true,
  'x-max-length': entriesMax,
  'x-delivery-limit': 2_147_483_647,
} as const
