/*
 * The call `posthaste.broker/prepared`: an answer ends where it is large enough, and the client asks for what is behind it.
 * Times that are never are null, since JSON has no infinity.
 */

/** What is asked. */
export interface SentPreparedQuery {
  readonly channel: string
  readonly limit: number
  /** The last that was told, with the time that the broker said. */
  readonly after?: { readonly id: string; readonly checkAtMs: number | null } | undefined
}

/** What is answered; the records follow, in the order of the rows. */
export interface SentPrepared {
  readonly rows: readonly (readonly [preparedAtMs: number, checkAtMs: number | null, checks: number])[]
  /** False where there may be more of those that were asked for, behind the last one. */
  readonly isAll: boolean
}
