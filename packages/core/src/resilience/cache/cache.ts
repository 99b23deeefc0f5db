import {
  type Call,
  type Filter,
  type FilterDescription,
  type FilterSnapshot,
  type MaybePromise,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { follow } from '../../pipeline/continuation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import {
  durationOption,
  functionOption,
  integerOption,
  type OptionsSpec,
  readOptions,
  required,
} from '../../pipeline/options.ts'
import { type FilterDeps, tell } from '../../pipeline/stack.ts'
import { Flight } from './flight.ts'
import { Lru } from './lru.ts'
import { isQuestion, isStream, questionKey } from './question.ts'

/** How long answers are given again, and to whom. */
export interface CacheOptions {
  /** An answer is good for so many milliseconds from when the callee was asked for it, from 1. */
  readonly ttlMs: number
  /**
   * For so many milliseconds more it is still given, while the callee is asked for a new one in the background; from 0.
   * Default: 0.
   */
  readonly staleMs?: number | undefined
  /**
   * Which calls have the same answer; undefined passes the call on. Default: target, header `authorization` and payload,
   * where the payload is plain data of at most 4,096 characters. Whatever else an answer depends on belongs into it.
   */
  readonly key?: ((call: Call) => string | undefined) | undefined
  /** How many answers are kept at most, 1 to 1,000,000; the one used longest ago goes first. Default: 1,000. */
  readonly keysMax?: number | undefined
  /**
   * Which calls may be answered by an earlier answer, of those that are idempotent by their contract. Must be calls that
   * read: one that writes would not be made. Default: all.
   */
  readonly when?: ((call: Call) => boolean) | undefined
  /**
   * Copies an answer for each call that is given it, as `structuredClone` does. Default: all are given the same value, which
   * nobody may change.
   */
  readonly clone?: ((value: unknown) => unknown) | undefined
}

interface Settings {
  readonly ttlMs: number
  readonly staleMs: number
  readonly key: (call: Call) => string | undefined
  readonly keysMax: number
  readonly when: (call: Call) => boolean
  readonly clone: (value: unknown) => unknown
}

const spec: OptionsSpec<Settings> = {
  options: {
    ttlMs: required(durationOption(0, { min: 1 })),
    staleMs: durationOption(0),
    key: functionOption<Settings['key']>(questionKey),
    keysMax: integerOption(1_000, { min: 1, max: 1_000_000 }),
    when: functionOption<Settings['when']>(() => true),
    clone: functionOption((value: unknown) => value),
  },
}

/** A cache whose answers can be forgotten. */
export interface Cache extends Filter {
  /** Forgets the answer of a key, or all of them; what is under way is not kept either. For whoever has just written. */
  forget(key?: string): void
}

/**
 * Gives answers again that came a short time ago, and asks once where many ask the same at a time. Stands outside of the
 * retry and inside of the deadline. Failures are not kept: they are given to all who wait for them, and to nobody after.
 *
 * - An answer is given up to `ttlMs` after the callee was asked for it; then, for `staleMs`, still given at once, while one
 *   call in the background asks anew. That one has nothing of the caller's deadline or cancellation; if it fails, the answer
 *   that is there stays to its end.
 * - Calls that ask the same while the callee is being asked wait for that answer, each up to its own deadline. The callee is
 *   told that it is no longer wanted when all of them have given up. What the first of them wants of other filters
 *   (`overrides`, headers) holds for all.
 * - `overrides.cache`: `refresh` asks the callee, and keeps that answer in place of any that was asked for before; `skip` has
 *   nothing to do with the cache.
 *
 * Event: `refreshFailed` (`code`), of the background.
 *
 * @throws CONFIG_INVALID when options are wrong; FAILED_PRECONDITION when an answer is a stream, which cannot be shared
 * @see RFC 5861 §3 (stale-while-revalidate)
 */
export function cache(options: CacheOptions, deps: FilterDeps): Cache {
  return new AnswerCache(readOptions('cache', options, spec), deps)
}

interface Answer {
  readonly value: unknown
  readonly askedAtMs: number
}

/** A call, what answers it, and what its answer is known by. */
interface Question<P, R> {
  readonly call: Call<P>
  readonly next: Service<P, R>
  readonly key: string
}

interface Execution {
  readonly flight: Flight
  readonly answer: PromiseLike<unknown>
}

class AnswerCache implements Cache {
  readonly role = 'cache'
  readonly #settings: Settings
  readonly #deps: FilterDeps
  readonly #answers: Lru<Answer>
  /** The latest execution of each key; what an earlier one answers is not kept. */
  readonly #executions = new Map<string, Execution>()
  readonly #counts = { hits: 0, staleHits: 0, misses: 0, joined: 0, bypassed: 0, refreshFailed: 0 }

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#deps = deps
    this.#answers = new Lru(settings.keysMax)
  }

  /** Hot path: a hit costs its key, a look at the clock and at a map, and no promise. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    const { when, key: keyOf, ttlMs, staleMs } = this.#settings
    const wish = call.overrides?.cache
    const key = wish === 'skip' || !isQuestion(call) || !when(call) ? undefined : keyOf(call)
    if (key === undefined) {
      this.#counts.bypassed++
      return next(call)
    }
    const question = { call, next, key }
    const nowMs = this.#deps.clock.monotonicMs()
    const known = wish === 'refresh' ? undefined : this.#answers.get(key)
    const ageMs = known === undefined ? Number.POSITIVE_INFINITY : nowMs - known.askedAtMs
    if (known === undefined || ageMs >= ttlMs + staleMs) return this.#missing(question, wish === 'refresh')
    if (ageMs < ttlMs) this.#counts.hits++
    else {
      this.#counts.staleHits++
      if (!this.#executions.has(key)) this.#refresh(question, known.askedAtMs + ttlMs + staleMs)
    }
    return this.#copy(known.value)
  }

  forget(key?: string): void {
    if (key === undefined) {
      this.#answers.clear()
      this.#executions.clear()
    } else {
      this.#answers.delete(key)
      this.#executions.delete(key)
    }
  }

  describe(): FilterDescription {
    const { ttlMs, staleMs, keysMax } = this.#settings
    return { role: this.role, ttlMs, staleMs, keysMax }
  }

  snapshot(): FilterSnapshot {
    const { size: keys, evicted } = this.#answers
    return { role: this.role, keys, inFlight: this.#executions.size, ...this.#counts, evicted }
  }

  /** An execution that began before a refresh was asked for may have read before what the caller knows of. */
  #missing<P, R>(question: Question<P, R>, isRefresh: boolean): MaybePromise<R> {
    const underWay = isRefresh ? undefined : this.#executions.get(question.key)
    if (underWay !== undefined) {
      this.#counts.joined++
      return this.#wait(question, underWay)
    }
    this.#counts.misses++
    const begun = this.#begin(question, question.call.deadlineAtMs)
    return 'execution' in begun ? this.#wait(question, begun.execution) : this.#copy(begun.value)
  }

  /** Asks the callee. Whatever was under way for the key is no longer the latest. */
  #begin<P, R>({ call, next, key }: Question<P, R>, deadlineAtMs: number): Begun<R> {
    const flight = new Flight(this.#deps.clock.monotonicMs(), deadlineAtMs)
    this.#executions.delete(key)
    const result = next(call.derive({ cancellation: flight.cancellation, deadlineAtMs }))
    if (!isPromiseLike(result)) return { value: this.#keep(key, flight, result) }
    const ended = (): void => {
      flight.land()
      if (this.#executions.get(key) === execution) this.#executions.delete(key)
    }
    const answer = follow(
      result,
      (value) => {
        const isLatest = this.#executions.get(key) === execution
        ended()
        return isLatest ? this.#keep(key, flight, value) : this.#shareable(value)
      },
      (thrown) => {
        ended()
        throw thrown
      },
    )
    const execution: Execution = { flight, answer }
    this.#executions.set(key, execution)
    return { execution }
  }

  /** Asks in the background, until the answer that is there has come to its end; whoever waits then goes on waiting. */
  #refresh<P, R>(question: Question<P, R>, endsAtMs: number): void {
    const failed = (thrown: unknown): void => {
      this.#counts.refreshFailed++
      const code = PosthasteError.is(thrown) ? thrown.code : 'INTERNAL'
      this.#deps.log.debug('an answer could not be refreshed', { target: question.call.target, error: thrown })
      tell(this.#deps, { role: this.role, kind: 'refreshFailed', code })
    }
    try {
      const begun = this.#begin(question, endsAtMs)
      if (!('execution' in begun)) return
      const { flight, answer } = begun.execution
      flight.join()
      const leftMs = endsAtMs - this.#deps.clock.monotonicMs()
      const timer = this.#deps.timers.set(leftMs, () => this.#leave(question.key, begun.execution))
      answer.then(
        () => timer.cancel(),
        (thrown) => {
          timer.cancel()
          failed(thrown)
        },
      )
    } catch (thrown) {
      failed(thrown)
    }
  }

  /** Waits for an execution as long as the call has time and is wanted. */
  #wait<P, R>({ call, next, key }: Question<P, R>, execution: Execution): Promise<R> {
    const { flight, answer } = execution
    const { timers, clock } = this.#deps
    flight.join()
    return new Promise<R>((resolve, reject) => {
      let isWaiting = true
      let stopListening = (): void => {}
      const end = (): boolean => {
        const was = isWaiting
        isWaiting = false
        timer.cancel()
        stopListening()
        return was
      }
      const giveUp = (reason: PosthasteError): void => {
        if (!end()) return
        reject(reason)
        this.#leave(key, execution)
      }
      const leftMs = call.deadlineAtMs - clock.monotonicMs()
      const timer = timers.set(leftMs, () => giveUp(expired(call, leftMs)))
      stopListening = call.cancellation.onCancel(giveUp)
      const settle = (outcome: () => MaybePromise<R>): void => {
        if (!end()) return
        try {
          resolve(outcome())
        } catch (thrown) {
          reject(thrown)
        }
      }
      answer.then(
        (value) => settle(() => this.#copy(value)),
        (thrown) =>
          settle(() => {
            // It ran out of the time of the call that began it; this one has more.
            const hasMore = call.deadlineAtMs > flight.deadlineAtMs && clock.monotonicMs() >= flight.deadlineAtMs
            if (hasMore) return this.#missing({ call, next, key }, false)
            throw thrown
          }),
      )
    })
  }

  /** Nobody is to join what was cancelled: it may never end. */
  #leave(key: string, execution: Execution): void {
    const isOver = execution.flight.leave()
    if (isOver && this.#executions.get(key) === execution) this.#executions.delete(key)
  }

  #keep<R>(key: string, { askedAtMs }: Flight, value: R): R {
    this.#answers.set(key, { value: this.#shareable(value), askedAtMs })
    return value
  }

  #shareable<R>(value: R): R {
    if (!isStream(value)) return value
    throw new PosthasteError('FAILED_PRECONDITION', `${this.#deps.target}: an answer that is a stream cannot be kept`, {
      remedy: 'Leave methods that stream out of the cache, by its option `when`.',
    })
  }

  #copy<R>(value: unknown): R {
    return this.#settings.clone(value) as R
  }
}

/** An answer that was there at once, or one that is to come. */
type Begun<R> = { readonly value: R } | { readonly execution: Execution }

function expired({ target }: Call, leftMs: number): PosthasteError {
  return new PosthasteError('DEADLINE_EXCEEDED', `${target}: no answer within ${Math.round(leftMs)} ms`)
}
