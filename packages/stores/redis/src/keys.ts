/** What every store on a server has. */
export interface RedisStore {
  /** Asks the server for a sign of life. @throws UNAVAILABLE, and what the server says */
  ping(): Promise<void>
  /** Lets go of the connection, which keeps the process alive; what is under way is rejected. Idempotent. */
  close(): Promise<void>
}

/** Where a key of a store stands. As JSON, since halves of surrogate pairs would all be the same bytes. */
export function keyOf(prefix: string, kind: 'idempotency' | 'rate', key: string): Buffer {
  return Buffer.from(`${prefix}:${kind}:${JSON.stringify(key).slice(1, -1)}`)
}
