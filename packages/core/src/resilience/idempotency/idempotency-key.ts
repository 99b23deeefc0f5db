import { type Call, PosthasteError } from '@posthaste/contracts'

/** What an application may send at most; stores take longer keys, for the target stands before it. */
const lengthMax = 255

/** A structured field's string, in quotes and with escapes. @see RFC 8941 §3.3.3 */
const quoted = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"$/

/** As most clients send it, though the draft asks for quotes. */
const bare = /^[\x21\x23-\x7e][\x21-\x7e]*$/

/**
 * The key that a call was sent with: the header `idempotency-key`, in quotes or without. A message that has none is known by
 * its id.
 *
 * @throws INVALID_ARGUMENT when the header is not 1 to 255 printable ASCII characters
 * @see draft-ietf-httpapi-idempotency-key-header §2.1
 */
export function idempotencyKey(call: Call): string | undefined {
  const header = call.headers['idempotency-key']
  if (header === undefined) return call.kind === 'handle' ? call.id : undefined
  const key = bare.test(header) ? header : quoted.exec(header)?.[1]?.replaceAll(/\\(.)/g, '$1')
  if (key !== undefined && key.length > 0 && key.length <= lengthMax) return key
  throw new PosthasteError('INVALID_ARGUMENT', `${call.target}: the header idempotency-key is not a key`, {
    remedy: `Send 1 to ${lengthMax} printable ASCII characters, in quotes or without.`,
  })
}

/** SHA-256 as text. */
export async function digest(text: string): Promise<string> {
  const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
