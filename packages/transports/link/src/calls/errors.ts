import { PosthasteError } from '@posthaste/contracts'

/**
 * A failure as its caller may see it: without its cause, and without details that JSON cannot carry. What is no error of
 * ours never gets here.
 */
export function tellable(error: PosthasteError): PosthasteError {
  const { code, message, remedy, verdict, issues, details, retryAfterMs } = error
  return new PosthasteError(code, bare(code, message), {
    remedy,
    verdict,
    issues,
    details: writable(details) ? details : undefined,
    retryAfterMs,
  })
}

/** The message without the code that `PosthasteError` puts in front of it. */
function bare(code: string, message: string): string {
  const prefix = `[${code}] `
  return message.startsWith(prefix) ? message.slice(prefix.length) : message
}

function writable(details: unknown): boolean {
  try {
    JSON.stringify(details)
    return true
  } catch {
    return false
  }
}
