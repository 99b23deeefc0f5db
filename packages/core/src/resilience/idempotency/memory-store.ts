import {
  type Clock,
  type IdempotencyClaim,
  type IdempotencyState,
  type IdempotencyStore,
  PosthasteError,
} from '@posthaste/contracts'
import { systemClock } from '../../pipeline/clock.ts'
import { integerOption, type OptionsSpec, readOptions } from '../../pipeline/options.ts'

/** How much is remembered. */
export interface MemoryIdempotencyOptions {
  /** How many keys are remembered at most, 1 to 10,000,000. Default: 100,000. */
  readonly keysMax?: number | undefined
  /** How many bytes of results are remembered at most, 1,024 to 2^40. Default: 67,108,864. */
  readonly bytesMax?: number | undefined
}

interface Settings {
  readonly keysMax: number
  readonly bytesMax: number
}

const spec: OptionsSpec<Settings> = {
  options: {
    keysMax: integerOption(100_000, { min: 1, max: 10_000_000 }),
    bytesMax: integerOption(64 * 1024 ** 2, { min: 1_024, max: 2 ** 40 }),
  },
}

/** A store of results whose fill can be looked at. */
export interface MemoryIdempotency extends IdempotencyStore {
  /** Keys that are remembered, those included whose time is over and whose room nobody has needed yet. */
  readonly size: number
  /** Results that had to go before their time, for want of room. Above 0 there is too little of it. */
  readonly forgotten: number
}

/**
 * Results in the memory of one process: for tests, and for services of one instance that may forget when they restart. Where
 * room runs out, the results kept longest go first; claims stay.
 *
 * @throws CONFIG_INVALID when options are wrong; `claim` throws OVERLOADED when there is room for claims alone, and none is left
 */
export function memoryIdempotency(
  options: MemoryIdempotencyOptions = {},
  clock: Clock = systemClock,
): MemoryIdempotency {
  return new MemoryStore(readOptions('memoryIdempotency', options, spec), clock)
}

/** A key that was claimed, or with a result, done. */
interface Entry {
  readonly token: string
  readonly fingerprint: string
  readonly endsAtMs: number
  readonly result: Uint8Array | undefined
}

class MemoryStore implements MemoryIdempotency {
  readonly name = 'memory'
  readonly #settings: Settings
  readonly #clock: Clock
  /** From the one changed longest ago to the latest. */
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  #claims = 0
  #forgotten = 0

  constructor(settings: Settings, clock: Clock) {
    this.#settings = settings
    this.#clock = clock
  }

  get size(): number {
    return this.#entries.size
  }

  get forgotten(): number {
    return this.#forgotten
  }

  claim({ key, fingerprint, leaseMs }: IdempotencyClaim): IdempotencyState {
    const nowMs = this.#clock.monotonicMs()
    const entry = this.#live(key, nowMs)
    if (entry !== undefined) return stateOf(entry, fingerprint, nowMs)
    if (!this.#makeRoom(0, nowMs)) {
      throw new PosthasteError('OVERLOADED', 'every key that idempotency may remember in memory is being worked at', {
        notSent: true,
      })
    }
    const token = `${++this.#claims}:${fingerprint}`
    this.#entries.set(key, { token, fingerprint, endsAtMs: nowMs + leaseMs, result: undefined })
    return { state: 'fresh', token }
  }

  complete(key: string, token: string, { result, ttlMs }: { result: Uint8Array; ttlMs: number }): boolean {
    const nowMs = this.#clock.monotonicMs()
    const entry = this.#live(key, nowMs)
    if (entry !== undefined && entry.token !== token) return false
    if (entry?.result !== undefined) return true
    const { bytesMax } = this.#settings
    if (result.length > bytesMax) {
      throw new PosthasteError('BODY_TOO_LARGE', `a result of ${result.length} bytes is over bytesMax, ${bytesMax}`)
    }
    this.#remove(key)
    // Without room for it, it is as one that had to go at once.
    if (!this.#makeRoom(result.length, nowMs)) {
      this.#forgotten++
      return true
    }
    const fingerprint = token.slice(token.indexOf(':') + 1)
    this.#entries.set(key, { token, fingerprint, endsAtMs: nowMs + ttlMs, result: result.slice() })
    this.#bytes += result.length
    return true
  }

  release(key: string, token: string): void {
    const entry = this.#entries.get(key)
    if (entry?.token === token && entry.result === undefined) this.#remove(key)
  }

  #live(key: string, nowMs: number): Entry | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined || nowMs < entry.endsAtMs) return entry
    this.#remove(key)
    return undefined
  }

  #remove(key: string): void {
    this.#bytes -= this.#entries.get(key)?.result?.length ?? 0
    this.#entries.delete(key)
  }

  /** For one more key with so many bytes. Passes over claims that stand: there are as many as calls under way. */
  #makeRoom(bytes: number, nowMs: number): boolean {
    const { keysMax, bytesMax } = this.#settings
    const fits = (): boolean => this.#entries.size < keysMax && this.#bytes + bytes <= bytesMax
    if (fits()) return true
    for (const [key, { endsAtMs, result }] of this.#entries) {
      const isOver = endsAtMs <= nowMs
      if (!isOver && result === undefined) continue
      if (!isOver) this.#forgotten++
      this.#remove(key)
      if (fits()) return true
    }
    return false
  }
}

function stateOf(entry: Entry, fingerprint: string, nowMs: number): IdempotencyState {
  if (entry.fingerprint !== fingerprint) return { state: 'mismatch' }
  if (entry.result !== undefined) return { state: 'done', result: entry.result.slice() }
  return { state: 'inFlight', retryAfterMs: Math.ceil(entry.endsAtMs - nowMs) }
}
