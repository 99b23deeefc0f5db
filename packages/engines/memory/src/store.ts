import {
  type ChannelSpec,
  type Clock,
  type Log,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  succeeded,
} from '@posthaste/contracts'
import { refusal } from './admission.ts'
import { Agenda } from './agenda.ts'
import { Channel } from './channel.ts'
import { firstNumber } from './entry.ts'
import type { Group } from './group.ts'
import { Isolation } from './isolation.ts'
import type { Member } from './member.ts'
import { PatternGroups } from './patterns.ts'

/** An engine that has the store open. */
export interface Session {
  readonly clock: Clock
  readonly log: Log
  readonly instance: string
}

/**
 * What a memory engine holds, as an object of its own, so that it may outlive the engine: an engine that is made with
 * the store of one that was closed or crashed finds everything as that left it. One engine at a time has it open.
 */
export interface MemoryStore {
  /**
   * Ends the engine that has the store open as if its process had been killed: nothing is handed back or answered, and
   * what was in flight counts as an attempt. Does nothing when no engine has it open.
   */
  crash(): void
}

/** Every so many hand-overs wait for timers and I/O, so that messages that beget messages do not lock these out. */
const dispatchesPerTurn = 1_000

/** The state behind {@link MemoryStore}: channels, what is due when, and which groups have something to do. */
export class State implements MemoryStore {
  readonly channels = new Map<string, Channel>()
  readonly patterns = new PatternGroups(this.channels, (channel, cause) => {
    this.#session?.log.error('who watches a pattern threw', { channel, cause })
  })
  readonly #agenda = new Agenda()
  readonly #isolation = new Isolation()
  readonly #awake = new Set<Group>()
  #session: Session | undefined
  #lastNumber = firstNumber
  #dispatches = 0
  readonly #dispatch = () => this.#dispatchAll()

  // ── Life cycle ────────────────────────────────────────────────────────────────────────────────────────────────────

  attach(session: Session): void {
    if (this.#session !== undefined) {
      throw new PosthasteError('ENGINE_LOCKED', `memory store: ${this.#session.instance} has it open`, {
        remedy: 'Close the engine that uses the store, or give each engine a store of its own.',
      })
    }
    this.#session = session
    this.#agenda.start(session.clock)
  }

  isOpenFor(session: Session): boolean {
    return this.#session === session
  }

  /** Ends a session; every member leaves its group, and temporary groups go. */
  detach(how: 'handBack' | 'vanished'): void {
    this.#agenda.stop()
    for (const channel of this.channels.values()) {
      for (const group of channel.groups.values()) {
        for (const member of [...group.members]) group.leave(member, how)
        if (group.lifetime === 'temporary') channel.removeGroup(group)
      }
    }
    this.patterns.forget()
    this.#session = undefined
  }

  crash(): void {
    if (this.#session !== undefined) this.detach('vanished')
  }

  // ── Records ───────────────────────────────────────────────────────────────────────────────────────────────────────

  addChannel(spec: ChannelSpec): void {
    const agenda = this.#agenda
    const channel = new Channel(spec, {
      agenda,
      isolation: this.#isolation,
      wake: (group) => this.#wake(group),
      nowMs: () => this.nowMs(),
      nextNumber: () => ++this.#lastNumber,
    })
    this.channels.set(spec.name, channel)
    this.patterns.added(channel)
  }

  /** Why a record cannot be stored; undefined when it can. */
  refusal(record: OutgoingRecord): PosthasteError | undefined {
    return refusal(record, this.channels)
  }

  /** Stores one record. */
  publish(record: OutgoingRecord): Outcome {
    const error = this.refusal(record)
    if (error !== undefined) return { ok: false, error }
    this.channels.get(record.channel)?.publish(record)
    return succeeded
  }

  /** Stores all of the records or, when one of them cannot be stored, none. */
  publishTogether(records: readonly OutgoingRecord[]): Outcome {
    for (const record of records) {
      const error = this.refusal(record)
      if (error !== undefined) return { ok: false, error }
    }
    for (const record of records) this.channels.get(record.channel)?.publish(record)
    return succeeded
  }

  /** The engine's time; a store that nobody has open stands still. */
  nowMs(): number {
    return this.#session?.clock.nowMs() ?? Number.NEGATIVE_INFINITY
  }

  // ── Hand-over ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Has the group dispatch in a microtask, so that nothing is delivered inside of a call into the engine. */
  #wake(group: Group): void {
    if (this.#awake.size === 0) this.#soon()
    this.#awake.add(group)
  }

  #soon(): void {
    this.#dispatches += 1
    if (this.#dispatches % dispatchesPerTurn === 0) setImmediate(this.#dispatch)
    else queueMicrotask(this.#dispatch)
  }

  #dispatchAll(): void {
    const groups = [...this.#awake]
    this.#awake.clear()
    for (const group of groups) group.dispatch((member, thrown) => this.#evict({ group, member, thrown }))
  }

  /** A sink must not throw; the member of one that does is treated as vanished. */
  #evict({ group, member, thrown }: { group: Group; member: Member; thrown: unknown }): void {
    const cause = PosthasteError.from(thrown, 'INTERNAL', `member ${member.name}: its sink threw`)
    this.#session?.log.error('a sink threw, its subscription ends', { member: member.name, cause })
    group.leave(member, 'vanished')
    try {
      member.sink.closed(cause)
    } catch {
      // It has been reported; a second throw must not end the process.
    }
  }
}

/** A store for memory engines, empty. */
export function memoryStore(): MemoryStore {
  return new State()
}
