import type { MaybePromise } from './call.ts'

/**
 * Where bodies stand that are too big to travel (claim check). What is put is kept for as long as a message may need it:
 * how long that is, the store is told when it is made.
 */
export interface BlobStore {
  /** For logs and errors. */
  readonly name: string
  /**
   * Keeps bytes durably and answers a reference that is valid in every process that uses the store: a URI of at most 1,024
   * characters, the CloudEvents attribute `dataref` of the message.
   * @param id begins with the message's own, and comes again with the same bytes alone: a store may go by it
   */
  put(id: string, bytes: Uint8Array): Promise<string>
  /**
   * The bytes of a reference. References come with messages, so one must never lead out of the store.
   * @throws NOT_FOUND when the store has no such bytes; UNAVAILABLE when it cannot be reached for now
   */
  get(ref: string): Promise<Uint8Array>
}

/** Names one handling of one message. */
export interface InboxEntry {
  readonly channel: string
  readonly group: string
  readonly id: string
  /** For how many milliseconds it is remembered, at least. */
  readonly windowMs: number
}

/**
 * Remembers what was handled, so that a message that comes again is recognised. A store with transactions runs the work in
 * one and remembers in the same: then the work takes effect exactly once. One without remembers after the work: then a
 * crash in between still repeats it.
 */
export interface InboxStore {
  /** For logs and errors. */
  readonly name: string
  /**
   * Runs the work, unless the entry is remembered. What the work throws is thrown, and nothing is remembered. Two calls for
   * one entry at a time: one runs, the other waits for it.
   * @param work is given the store's transaction, for a handler that writes to the same database
   */
  once<T>(entry: InboxEntry, work: (transaction: unknown) => MaybePromise<T>): Promise<InboxResult<T>>
}

/** Whether the work was done now; otherwise it had been before. */
export type InboxResult<T> = { readonly done: true; readonly result: T } | { readonly done: false }

/** A rate, as the generic cell rate algorithm counts it. */
export interface RateLimit {
  /** Milliseconds that one unit costs: the period by the rate; above 0. */
  readonly unitMs: number
  /** How many units may come at once, at least 1. */
  readonly burst: number
}

/** What became of asking for units. Times are milliseconds from now. */
export interface RateDecision {
  readonly allowed: boolean
  /** Whole units that may still come now. */
  readonly remaining: number
  /** When as many units may come as were asked for; 0 if they were allowed, `Infinity` if never. */
  readonly retryAfterMs: number
  /** When a full burst may come again. */
  readonly resetAfterMs: number
}

/**
 * Keeps one rate for many processes. A key that is as good as new is forgotten.
 * @see ITU-T I.371 annex A, the generic cell rate algorithm
 */
export interface RateLimitStore {
  /** For logs and errors. */
  readonly name: string
  /**
   * Takes units of a key, all or none, atomically; a refusal changes nothing. Time is the store's own.
   * @throws UNAVAILABLE when the store cannot be reached for now
   */
  take(key: string, units: number, limit: RateLimit): MaybePromise<RateDecision>
}

/** A claim to do the work of a key. */
export interface IdempotencyClaim {
  /** Names the work: at most 512 characters. */
  readonly key: string
  /** Tells what is asked for: one key must not stand for two things. At most 128 characters. */
  readonly fingerprint: string
  /** For how many milliseconds nobody else may begin, so long as nothing is told of its end. */
  readonly leaseMs: number
}

/** What is known of a key: nobody is at it, so the claim stands; somebody is; it was done; or it was another's request. */
export type IdempotencyState =
  /** `token` proves the claim when it ends; a later claim of the same key has another. */
  | { readonly state: 'fresh'; readonly token: string }
  /** `retryAfterMs`: when the claim of the other lapses, from 0. */
  | { readonly state: 'inFlight'; readonly retryAfterMs: number }
  | { readonly state: 'done'; readonly result: Uint8Array }
  /** The key was claimed or done with another fingerprint. */
  | { readonly state: 'mismatch' }

/**
 * Remembers results by key, so that a request that comes again is answered and not done again. Two claims of one key at a
 * time: exactly one is fresh. What has outlived its time is forgotten.
 */
export interface IdempotencyStore {
  /** For logs and errors. */
  readonly name: string
  /** @throws UNAVAILABLE when the store cannot be reached for now */
  claim(claim: IdempotencyClaim): MaybePromise<IdempotencyState>
  /**
   * Keeps the result for `ttlMs`. False if the claim has lapsed and was taken by another: then theirs stands. Completing
   * twice keeps the first result. A claim that has lapsed and that nobody has taken is completed as if it had not.
   * @throws UNAVAILABLE when the store cannot be reached for now; BODY_TOO_LARGE when the result never fits, and then the
   *   claim stands
   */
  complete(
    key: string,
    token: string,
    done: { readonly result: Uint8Array; readonly ttlMs: number },
  ): MaybePromise<boolean>
  /**
   * Gives the claim up, so that the next one is fresh; does nothing if it has lapsed or was completed.
   * @throws UNAVAILABLE when the store cannot be reached for now
   */
  release(key: string, token: string): MaybePromise<void>
}
