import { randomUUID } from 'node:crypto'
import {
  type IdempotencyClaim,
  type IdempotencyState,
  type IdempotencyStore,
  PosthasteError,
} from '@posthaste/contracts'
import { Environment, type Transaction } from './environment.ts'
import { type CheckedOptions, checkOptions, type EmbeddedIdempotencyOptions } from './options.ts'
import { requireRoom } from './room.ts'
import { idOf, type Row } from './row.ts'

export type { EmbeddedIdempotencyOptions } from './options.ts'

/** Results in a directory. */
export interface EmbeddedIdempotency extends IdempotencyStore {
  /** Keys that are kept, those included whose time is over; they go with the writes that follow. */
  readonly size: number
  /** Lets go of the directory, after what is under way. Idempotent. */
  close(): Promise<void>
}

/**
 * Keeps results in a directory of its own, by LMDB. What is claimed and what is kept is synced to disk before it is
 * answered; what many ask for at a time shares a sync. The processes of one machine may share the directory, which must not
 * be on a network's file system: each step is a transaction that no other interrupts.
 *
 * @throws CONFIG_INVALID listing every mistake; UNAVAILABLE when the directory cannot be made or opened
 */
export function embeddedIdempotency(options: EmbeddedIdempotencyOptions): EmbeddedIdempotency {
  return new DirectoryStore(checkOptions(options))
}

class DirectoryStore implements EmbeddedIdempotency {
  readonly name: string
  readonly #dir: string
  readonly #clock: CheckedOptions['clock']
  readonly #environment: Environment
  #closed: Promise<void> | undefined

  constructor({ dir, clock }: CheckedOptions) {
    this.name = `directory ${dir}`
    this.#dir = dir
    this.#clock = clock
    try {
      this.#environment = new Environment(dir)
    } catch (cause) {
      throw unavailable(`${this.name}: it could not be opened`, cause)
    }
  }

  get size(): number {
    return this.#closed === undefined ? this.#environment.size : 0
  }

  async claim({ key, fingerprint, leaseMs }: IdempotencyClaim): Promise<IdempotencyState> {
    const id = idOf(key)
    const kept = this.#peek(id)
    if (kept !== undefined) return stateOf(kept, fingerprint, this.#clock.nowMs())
    const token = `${randomUUID()}:${fingerprint}`
    return this.#change('claim', token.length, (transaction, nowMs) => {
      const row = live(transaction.get(id), nowMs)
      if (row !== undefined) return stateOf(row, fingerprint, nowMs)
      transaction.put(id, { endsAtMs: nowMs + leaseMs, token, result: undefined })
      return { state: 'fresh', token }
    })
  }

  complete(key: string, token: string, { result, ttlMs }: { result: Uint8Array; ttlMs: number }): Promise<boolean> {
    const id = idOf(key)
    return this.#change('complete', result.length, (transaction, nowMs) => {
      const row = live(transaction.get(id), nowMs)
      if (row !== undefined && row.token !== token) return false
      if (row?.result === undefined) transaction.put(id, { endsAtMs: nowMs + ttlMs, token, result })
      return true
    })
  }

  release(key: string, token: string): Promise<void> {
    const id = idOf(key)
    return this.#change('release', 0, (transaction) => {
      const row = transaction.get(id)
      if (row?.token === token && row.result === undefined) transaction.remove(id)
    })
  }

  async close(): Promise<void> {
    this.#closed ??= this.#environment.close()
    await this.#closed
  }

  /** A result that is there stays to its end, so it needs no transaction, and no sync. */
  #peek(id: Buffer): Row | undefined {
    this.#requireOpen()
    const row = live(this.#environment.get(id), this.#clock.nowMs())
    return row?.result === undefined ? undefined : row
  }

  async #change<T>(what: string, bytes: number, step: (transaction: Transaction, nowMs: number) => T): Promise<T> {
    this.#requireOpen()
    try {
      requireRoom(this.#dir, bytes)
      const nowMs = this.#clock.nowMs()
      return await this.#environment.change(nowMs, (transaction) => step(transaction, nowMs))
    } catch (thrown) {
      throw PosthasteError.is(thrown) ? thrown : unavailable(`${this.name}: ${what}`, thrown)
    }
  }

  /** Once the binding closes, a read would not only fail: a timer that it leaves behind would end the process. */
  #requireOpen(): void {
    if (this.#closed !== undefined) throw unavailable(this.name, new Error('the store is closed'))
  }
}

function live(row: Row | undefined, nowMs: number): Row | undefined {
  return row !== undefined && nowMs < row.endsAtMs ? row : undefined
}

function stateOf({ token, endsAtMs, result }: Row, fingerprint: string, nowMs: number): IdempotencyState {
  // What was asked for is in the token: a result may come when the row of its claim is long gone.
  if (token.slice(token.indexOf(':') + 1) !== fingerprint) return { state: 'mismatch' }
  if (result !== undefined) return { state: 'done', result }
  return { state: 'inFlight', retryAfterMs: Math.ceil(endsAtMs - nowMs) }
}

function unavailable(message: string, cause: unknown): PosthasteError {
  const text = cause instanceof Error ? cause.message : String(cause)
  return new PosthasteError('UNAVAILABLE', `${message}: ${text}`, {
    cause,
    remedy: 'Make the directory readable and writable, with space left.',
  })
}
