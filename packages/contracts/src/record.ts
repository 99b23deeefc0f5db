import type { Headers } from './call.ts'
import type { PosthasteError } from './error.ts'

/** A record as engines see it: opaque, but for what they need to move it. */
export interface OutgoingRecord {
  /**
   * Names the message; chosen by the publisher. A record may be published again under its id (a repetition, a redrive)
   * and is then delivered again: telling repetitions apart is the core's.
   */
  readonly id: string
  readonly channel: string
  /** Only this group of the channel gets it: retries, redrives. Needs the `groupAddress` capability. */
  readonly group?: string | undefined
  /** The ordering key: 1 to 1,024 bytes as UTF-8; a longer one is refused with INVALID_ARGUMENT, for this record alone. */
  readonly key?: string | undefined
  /**
   * CloudEvents context attributes other than those that are fields here (`id`, `partitionkey`, `deliverytime`,
   * `expirytime`, `priority`), names as in binary mode without prefix. The engine maps them to its protocol's binding.
   */
  readonly headers: Headers
  readonly body: Uint8Array
  /**
   * Not handed over before this wall-clock time, milliseconds since the epoch. The record joins its channel, and the
   * order of its key, when it is due.
   */
  readonly dueAtMs?: number | undefined
  /** Worth nothing from this wall-clock time on. The engine may leave checking to the core, and must not drop silently. */
  readonly expiresAtMs?: number | undefined
  /** 0 (lowest, and if absent) to the channel's `priorities` − 1; higher ones count as the highest. */
  readonly priority?: number | undefined
}

/** How one thing of a batch went. */
export type Outcome = { readonly ok: true } | { readonly ok: false; readonly error: PosthasteError }

/** The outcome of everything that went well: one object, so that a batch of ten thousand costs one. */
export const succeeded: Outcome = Object.freeze({ ok: true })
