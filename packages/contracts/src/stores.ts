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
