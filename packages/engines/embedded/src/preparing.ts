import {
  type Clock,
  type Log,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type PreparedName,
  type PreparedRecord,
  succeeded,
} from '@posthaste/contracts'
import type { DurablePreparing, PreparedPlace } from './durable-engine.ts'
import { failed } from './errors.ts'
import { whenDurable } from './outcomes.ts'
import { decodePrepared, encodePrepared } from './prepared-codec.ts'
import type { Publisher } from './publisher.ts'
import type { Committer, Participant } from './storage/committer.ts'
import { nameKey, offsetKey, wideMax } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'
import type { Registry } from './topology.ts'

const limitMax = 10_000
/** Bytes of a key before the id. */
const timePrefixBytes = 10

/** What preparing needs from the engine. */
export interface PreparingContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
  readonly log: Log
  readonly registry: Registry
  readonly publisher: Publisher
}

/** What becomes of a name with the next transaction; without a record, it is free. */
interface Change {
  readonly logId: number
  readonly id: string
  readonly prepared: PreparedRecord | undefined
}

/**
 * Prepared records: rows by name, and rows in the order in which to ask about them. A decision is made in memory, so that
 * the first one counts; the next transaction takes it along together with what it publishes.
 */
export class Preparations implements Participant, DurablePreparing {
  readonly #context: PreparingContext
  #changed = new Map<string, Change>()
  /** What the present transaction writes. */
  #writing = new Map<string, Change>()

  constructor(context: PreparingContext) {
    this.#context = context
  }

  async prepare(record: OutgoingRecord, checkAtMs: number): Promise<Outcome> {
    refuseNoTime(checkAtMs)
    const refusal = this.#context.publisher.refusalOf(record)
    if (refusal !== undefined) return refusal
    const { id, channel } = record
    if (this.#find({ channel, id }) !== undefined)
      return failed('CONFLICT', `a record ${id} of '${channel}' is prepared already`)
    this.#change({ channel, id }, { record, preparedAtMs: this.#context.clock.nowMs(), checkAtMs, checks: 0 })
    return this.#durably(succeeded)
  }

  commit(names: readonly PreparedName[]): Promise<readonly Outcome[]> {
    return this.#resolve(names, ({ record }) => this.#context.publisher.takeAllOrNone([record]))
  }

  rollback(names: readonly PreparedName[]): Promise<readonly Outcome[]> {
    return this.#resolve(names, () => succeeded)
  }

  async postpone(name: PreparedName, checkAtMs: number): Promise<Outcome> {
    refuseNoTime(checkAtMs)
    const found = this.#find(name)
    if (found === undefined) return notPrepared(name)
    this.#change(name, { ...found, checkAtMs, checks: found.checks + 1 })
    return this.#durably(succeeded)
  }

  async prepared(channel: string, limit: number, after?: PreparedPlace): Promise<readonly PreparedRecord[]> {
    const { registry, store, committer } = this.#context
    if (!(Number.isInteger(limit) && limit >= 1 && limit <= limitMax))
      throw new PosthasteError('INVALID_ARGUMENT', `limit must be 1 to ${limitMax}, not ${limit}`)
    const { id: logId } = registry.channel(channel).inlet
    if (this.#changed.size + this.#writing.size > 0) await committer.flushed()
    const to = offsetKey(logId + 1, 0)
    const all: PreparedRecord[] = []
    let from = after === undefined ? offsetKey(logId, 0) : behind(checkKey(logId, after))
    for (;;) {
      const wanted = limit - all.length
      const keys = store.keys('checks', { from, to, limit: wanted })
      for (const key of keys) {
        const found = this.#findIntact({ channel, id: key.toString('utf8', timePrefixBytes) })
        if (found !== undefined) all.push(found)
      }
      const last = keys.at(-1)
      if (last === undefined || keys.length < wanted || all.length === limit) return all
      from = behind(last)
    }
  }

  /** One that is damaged must not hide the others. */
  #findIntact(name: PreparedName): PreparedRecord | undefined {
    try {
      return this.#find(name)
    } catch (cause) {
      this.#context.log.error(`the prepared record ${name.id} of '${name.channel}' is damaged`, { ...name, cause })
      return undefined
    }
  }

  write(tx: Transaction): void {
    this.#writing = this.#changed
    this.#changed = new Map()
    for (const { logId, id, prepared } of this.#writing.values()) {
      const key = nameKey(logId, id)
      const before = this.#context.store.get('prepared', key)
      if (before !== undefined) tx.remove('checks', checkKey(logId, placeOf(decodePrepared(before, ''))))
      if (prepared === undefined) tx.remove('prepared', key)
      else {
        tx.put('prepared', key, encodePrepared(prepared))
        tx.put('checks', checkKey(logId, placeOf(prepared)), Buffer.alloc(0))
      }
    }
  }

  committed(): void {
    this.#writing = new Map()
  }

  #resolve(names: readonly PreparedName[], decide: (prepared: PreparedRecord) => Outcome): Promise<readonly Outcome[]> {
    const outcomes = names.map((name) => {
      try {
        return this.#resolveOne(name, decide)
      } catch (thrown) {
        return { ok: false, error: PosthasteError.from(thrown, 'ENGINE_CORRUPT', `record ${name.id}`) } as const
      }
    })
    return whenDurable(this.#context.committer, outcomes)
  }

  #resolveOne(name: PreparedName, decide: (prepared: PreparedRecord) => Outcome): Outcome {
    const found = this.#find(name)
    if (found === undefined) return notPrepared(name)
    const outcome = decide(found)
    if (outcome.ok) this.#change(name, undefined)
    return outcome
  }

  async #durably(outcome: Outcome): Promise<Outcome> {
    return (await whenDurable(this.#context.committer, [outcome]))[0]!
  }

  #find({ channel, id }: PreparedName): PreparedRecord | undefined {
    const logId = this.#context.registry.channels.get(channel)?.inlet.id
    if (logId === undefined) return undefined
    const name = nameOf(logId, id)
    const change = this.#changed.get(name) ?? this.#writing.get(name)
    if (change !== undefined) return change.prepared
    const row = this.#context.store.get('prepared', nameKey(logId, id))
    return row === undefined ? undefined : decodePrepared(row, channel)
  }

  #change({ channel, id }: PreparedName, prepared: PreparedRecord | undefined): void {
    const { id: logId } = this.#context.registry.channel(channel).inlet
    this.#changed.set(nameOf(logId, id), { logId, id, prepared })
    this.#context.committer.join(this)
  }
}

function refuseNoTime(checkAtMs: number): void {
  if (Number.isNaN(checkAtMs)) throw new PosthasteError('INVALID_ARGUMENT', 'the time to ask at is none')
}

function notPrepared({ channel, id }: PreparedName): Outcome {
  return failed('NOT_FOUND', `no record ${id} of '${channel}' is prepared: it is resolved already, or never was`)
}

function nameOf(logId: number, id: string): string {
  return `${logId}/${id}`
}

/** Rows in the order in which to ask. */
function checkKey(logId: number, { checkAtMs, id }: PreparedPlace): Buffer {
  const atMs = Math.min(wideMax, Math.max(0, Math.floor(checkAtMs)))
  return Buffer.concat([offsetKey(logId, atMs), Buffer.from(id)])
}

function placeOf({ checkAtMs, record: { id } }: PreparedRecord): PreparedPlace {
  return { checkAtMs, id }
}

/** The least key that is behind a key. */
function behind(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.of(0)])
}
