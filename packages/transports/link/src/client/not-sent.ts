import { PosthasteError } from '@posthaste/contracts'

/** The same failure, where it is certain that the server did not look at the stream. */
export function asNotSent(error: PosthasteError): PosthasteError {
  if (error.notSent) return error
  const { code, remedy, verdict, issues, details, retryAfterMs } = error
  const prefix = `[${code}] `
  const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
  const cause = error.cause ?? error
  return new PosthasteError(code, message, { remedy, verdict, issues, details, retryAfterMs, cause, notSent: true })
}
