import { type Outcome, PosthasteError } from '@posthaste/contracts'

/** A write that could not be made durable; nothing after it is accepted. */
export function writeFailed(cause: unknown): PosthasteError {
  if (PosthasteError.is(cause)) return cause
  const text = cause instanceof Error ? cause.message : String(cause)
  return new PosthasteError('ENGINE_WRITE_FAILED', `the store could not write: ${text}`, {
    cause,
    remedy: 'Free disk space or repair the disk, then call resume() of the engine, or restart.',
  })
}

/** Another process owns the data directory. */
export function locked(dir: string, pid: number): PosthasteError {
  return new PosthasteError('ENGINE_LOCKED', `${dir} is owned by the process with pid ${pid}`, {
    remedy: `Stop process ${pid}, or give this application a data directory of its own.`,
    details: { pid },
  })
}

/** The directory was written by a version this one does not understand. */
export function wrongFormat(dir: string, found: string, ours: number): PosthasteError {
  return new PosthasteError(
    'ENGINE_FORMAT',
    `${dir} has data of format ${found}, and this version reads formats up to ${ours}`,
    { details: { found, ours } },
  )
}

/** A row that says where things stand does not match its checksum: what would follow from it cannot be known. */
export function damagedRow(table: string, name: string): PosthasteError {
  return new PosthasteError('ENGINE_CORRUPT', `the row ${name} of the table '${table}' does not match its checksum`, {
    remedy: 'Keep the data directory, restore the latest snapshot, and repeat what was published since.',
    details: { table, row: name },
  })
}

/** The engine is used before `open` or after `close`. */
export function notOpen(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'the embedded engine is not open')
}

/** A delivery that the subscription does not (or no longer) hold. */
export const deliveryLost: Outcome = Object.freeze({
  ok: false,
  error: new PosthasteError('DELIVERY_LOST', 'the delivery is not held by this subscription'),
})

/** A failed outcome. */
export function failed(
  code: 'NOT_FOUND' | 'CONFLICT' | 'BODY_TOO_LARGE' | 'INVALID_ARGUMENT',
  message: string,
): Outcome {
  return { ok: false, error: new PosthasteError(code, message) }
}
