import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { type Headers, PosthasteError } from '@posthaste/contracts'

/**
 * The id the client gave its request, or a new one. One that is long or odd is replaced, not refused: ids stand in logs
 * and response headers, and nobody's call should fail over a proxy's taste in ids.
 */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && /^[\w.:/+=@~-]{1,128}$/.test(given) ? given : randomUUID()
}

/**
 * Milliseconds the client still waits, from `x-request-timeout-ms`; undefined where it did not say.
 * @throws INVALID_ARGUMENT for anything but a whole number
 */
export function timeoutOf(headers: IncomingHttpHeaders): number | undefined {
  const given = headers['x-request-timeout-ms']
  if (given === undefined) return undefined
  if (typeof given === 'string' && /^\d{1,10}$/.test(given)) return Number(given)
  throw new PosthasteError('INVALID_ARGUMENT', 'x-request-timeout-ms must be a whole number of milliseconds')
}

/** By headers of this prefix handlers know who calls over link, whose transport sets them; over HTTP, anybody could. */
const foreignPrefix = 'link-'

/** Headers as calls carry them: one text per lower-case name. */
export function callHeaders(headers: IncomingHttpHeaders): Headers {
  let call = headers as Record<string, string>
  for (const name in headers) {
    if (!name.startsWith(foreignPrefix)) continue
    if (call === headers) call = { ...call }
    delete call[name]
  }
  // Only `set-cookie` comes as an array, and requests have none; everything else node has joined already.
  if (headers['set-cookie'] === undefined) return call
  return { ...call, 'set-cookie': headers['set-cookie'].join('; ') }
}

/**
 * Whether a request names its host twice. Node keeps the first and drops the second; a proxy in front may have routed
 * by the other.
 * @see https://www.rfc-editor.org/rfc/rfc9112#section-3.2
 */
export function namesHostTwice(rawHeaders: readonly string[]): boolean {
  let seen = false
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] as string
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (seen) return true
    seen = true
  }
  return false
}
