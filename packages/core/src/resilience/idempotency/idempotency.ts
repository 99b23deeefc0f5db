import {
  type Call,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type IdempotencyClaim,
  type IdempotencyState,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { readOptions } from '../../pipeline/options.ts'
import { sleep } from '../../pipeline/sleep.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { isStream } from '../cache/question.ts'
import { stableText } from '../cache/stable-text.ts'
import { digest } from './idempotency-key.ts'
import { type IdempotencyOptions, type Settings, spec } from './options.ts'
import { decodeOutcome, encodeFailure, encodeHandled, encodeResult, notKept } from './outcome-codec.ts'

export type { IdempotencyOptions } from './options.ts'

/** The longest key that a store must take. */
const keyLengthMax = 512

/** Nobody waits for the end of a whole lease: work seldom takes as long. */
const askAgainMsMax = 1_000

/** How often the store is asked while a call waits: at first, and at last. */
const askMs = { first: 20, max: 500 } as const

/**
 * Does what a key stands for once, and answers its repetitions with what came of it. Stands inside of the validation, so that
 * what is malformed claims no key, and right around the work.
 *
 * - A key that nobody knows is claimed, the call passed on, and its result kept for `ttlMs` before it is answered. A failure
 *   that says nothing final (`keepFailure`) gives the claim up instead, so that a repetition does the work.
 * - A repetition while the first is under way waits for `waitMs` and is then refused: CONFLICT, which is `retryable` here,
 *   with `retryAfterMs`; for a message OVERLOADED, so that it is handed back without counting an attempt.
 * - A repetition that asks for something else is refused with INVALID_ARGUMENT.
 * - Work that outlives `leaseMs` may be begun a second time. Choose it longer than any time limit of the work.
 * - Of a message, what it publishes is kept, and published when it comes again; where that cannot be kept it is handled again.
 *   Not for batches, which a key cannot stand for.
 * - A store that fails before the work fails the call; one that fails after it does not: the result is given, and the key is
 *   free once the lease has lapsed.
 *
 * Events: `replayed` (`code` of a failure), `inFlight`, `mismatch`, `leaseLost` (another took the claim meanwhile, its result
 * stands), `notKept` (`why`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see draft-ietf-httpapi-idempotency-key-header
 */
export function idempotency(options: IdempotencyOptions, deps: FilterDeps): Filter {
  return new Idempotency(readOptions('idempotency', options, spec), deps)
}

/** A claim that is this call's. */
interface Held {
  readonly key: string
  readonly token: string
}

class Idempotency implements Filter {
  readonly role = 'idempotency'
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #counts = {
    ...{ passedOn: 0, fresh: 0, replayed: 0, inFlight: 0, mismatch: 0 },
    ...{ kept: 0, released: 0, leaseLost: 0, notKept: 0 },
  }

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
  }

  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const key = this.#settings.key(call)
    if (key !== undefined) return this.#once(call, next, key)
    if (this.#settings.required) {
      throw new PosthasteError('INVALID_ARGUMENT', `${call.target}: an idempotency key is required`, {
        remedy: 'Send the header idempotency-key, a new one for each thing that is to be done.',
      })
    }
    this.#counts.passedOn++
    return next(call)
  }

  describe(): FilterDescription {
    const { store, required, ttlMs, leaseMs, waitMs, bytesMax } = this.#settings
    return { role: this.role, store: store.name, required, ttlMs, leaseMs, waitMs, bytesMax }
  }

  snapshot(): FilterSnapshot {
    return { role: this.role, ...this.#counts }
  }

  async #once<P, R>(call: Call<P>, next: Service<P, R>, given: string): Promise<R> {
    const key = await this.#storeKey(call, given)
    const fingerprint = await this.#fingerprint(call)
    const found = await this.#claim(call, { key, fingerprint, leaseMs: this.#settings.leaseMs })
    switch (found.state) {
      case 'fresh':
        return this.#work(call, next, { key, token: found.token })
      case 'done':
        return this.#replay(call, found.result) as R
      case 'mismatch':
        this.#tell('mismatch')
        throw new PosthasteError(
          'INVALID_ARGUMENT',
          `${call.target}: the idempotency key was used for something else`,
          {
            remedy: 'Send a new idempotency key with each thing that is to be done.',
          },
        )
      case 'inFlight':
        this.#tell('inFlight')
        throw new PosthasteError(
          // A message is given back as it is to whoever is full: its turn has not come.
          call.kind === 'handle' ? 'OVERLOADED' : 'CONFLICT',
          `${call.target}: the same is being done at this moment, under the same idempotency key`,
          {
            verdict: 'retryable',
            notSent: true,
            retryAfterMs: Math.min(Math.max(found.retryAfterMs, 1), askAgainMsMax),
            remedy: 'Repeat it with the same key after a while, to be given the result.',
          },
        )
    }
  }

  async #storeKey(call: Call, given: string): Promise<string> {
    const caller = this.#settings.caller(call) ?? ''
    // The length tells where the caller ends, whatever is in it.
    const key = `${call.target}#${caller.length}#${caller}#${given}`
    return key.length <= keyLengthMax ? key : `sha256#${await digest(key)}`
  }

  async #fingerprint(call: Call): Promise<string> {
    const { fingerprint } = this.#settings
    // A message is known by its id, and comes again as it was.
    if (fingerprint === undefined && call.kind === 'handle') return 'message'
    const text =
      fingerprint === undefined ? stableText(call.payload, Number.POSITIVE_INFINITY) : await fingerprint(call)
    if (text !== undefined) return digest(text)
    throw new PosthasteError('FAILED_PRECONDITION', `${call.target}: the payload is no plain data`, {
      remedy: 'Give idempotency the option fingerprint, which tells what such payloads ask for.',
    })
  }

  /** Claims, and where somebody is at it already, asks again and again as long as the call may wait. */
  async #claim(call: Call, claim: IdempotencyClaim): Promise<IdempotencyState> {
    const { store, waitMs } = this.#settings
    const { clock, timers } = this.#deps
    const endsAtMs = Math.min(clock.monotonicMs() + waitMs, call.deadlineAtMs)
    for (let pauseMs: number = askMs.first; ; pauseMs = Math.min(pauseMs * 2, askMs.max)) {
      const state = await store.claim(claim)
      const leftMs = endsAtMs - clock.monotonicMs()
      if (state.state !== 'inFlight' || leftMs <= 0) return state
      await sleep(Math.min(pauseMs, leftMs), timers, call.cancellation)
    }
  }

  async #work<P, R>(call: Call<P>, next: Service<P, R>, held: Held): Promise<R> {
    this.#counts.fresh++
    let result: R
    try {
      const { reason } = call.cancellation
      if (reason !== undefined) throw reason
      result = await next(call)
    } catch (thrown) {
      const isKept = call.kind !== 'handle' && this.#settings.keepFailure(thrown)
      if (isKept)
        await this.#end(
          call,
          held,
          this.#encode(() => encodeFailure(PosthasteError.from(thrown, 'INTERNAL', call.target))),
        )
      else await this.#release(held)
      throw thrown
    }
    await this.#end(call, held, this.#outcomeOf(call, result))
    return result
  }

  /** What a message publishes leaves with its settlement: better handled again than settled without. */
  #end(call: Call, held: Held, outcome: Uint8Array): Promise<void> {
    return outcome === notKept && call.kind === 'handle' ? this.#release(held) : this.#keep(call, held, outcome)
  }

  #outcomeOf({ kind }: Call, result: unknown): Uint8Array {
    if (isStream(result)) return this.#notKept('a stream')
    const { codec } = this.#settings
    return this.#encode(() => (kind === 'handle' ? encodeHandled(result, codec) : encodeResult(result, codec)))
  }

  #encode(encode: () => Uint8Array): Uint8Array {
    try {
      const bytes = encode()
      return bytes.length <= this.#settings.bytesMax ? bytes : this.#notKept('too large')
    } catch (thrown) {
      return this.#notKept('not encodable', thrown)
    }
  }

  #notKept(why: string, error?: unknown): Uint8Array {
    this.#deps.log.warn('a result cannot be kept for its idempotency key', { target: this.#deps.target, why, error })
    this.#tell('notKept', { why })
    return notKept
  }

  /** What is done is done: whatever happens here, the call has its result. */
  async #keep(call: Call, held: Held, result: Uint8Array): Promise<void> {
    const { store, ttlMs } = this.#settings
    try {
      if (await store.complete(held.key, held.token, { result, ttlMs })) this.#counts.kept++
      else this.#tell('leaseLost')
    } catch (thrown) {
      const isTooLarge = PosthasteError.is(thrown, 'BODY_TOO_LARGE') && result !== notKept
      if (isTooLarge) await this.#end(call, held, this.#notKept('too large', thrown))
      else this.#notKept('the store failed', thrown)
    }
  }

  async #release({ key, token }: Held): Promise<void> {
    try {
      await this.#settings.store.release(key, token)
      this.#counts.released++
    } catch (error) {
      this.#deps.log.warn('an idempotency key stays claimed until its lease lapses', {
        target: this.#deps.target,
        error,
      })
    }
  }

  #replay(call: Call, bytes: Uint8Array): unknown {
    const outcome = decodeOutcome(bytes, this.#settings.codec)
    const code = outcome.kind === 'failure' ? { code: outcome.error.code } : {}
    this.#tell('replayed', code)
    if (outcome.kind === 'result') return outcome.value
    if (outcome.kind === 'failure') throw outcome.error
    throw new PosthasteError('FAILED_PRECONDITION', `${call.target}: it was done, but its result could not be kept`, {
      remedy: 'Ask for the state of what was to be done; raise bytesMax, or answer with less.',
    })
  }

  #tell(kind: 'replayed' | 'inFlight' | 'mismatch' | 'leaseLost' | 'notKept', detail = {}): void {
    this.#counts[kind]++
    if (this.#deps.onEvent !== undefined) tell(this.#deps, { role: this.role, kind, ...detail })
  }
}
