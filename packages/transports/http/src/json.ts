import { hasLongNumber, PosthasteError } from '@posthaste/contracts'

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** How much of JSON is taken. */
export interface JsonLimits {
  /** Deepest nesting of arrays and objects. */
  readonly depthMax: number
}

/**
 * JSON from the wire, as strictly as I-JSON asks: valid UTF-8, no integers that a double would round, no `__proto__`
 * members (they turn into prototypes wherever somebody copies them by assignment), bounded depth.
 *
 * @throws BODY_MALFORMED
 * @see https://www.rfc-editor.org/rfc/rfc7493
 */
export function parseJson(bytes: Uint8Array, limits: JsonLimits): unknown {
  if (bytes.length > limits.depthMax && deeperThan(bytes, limits.depthMax)) {
    throw malformed(`is nested deeper than ${limits.depthMax} levels`)
  }
  const text = decode(bytes)
  try {
    return suspicious.test(text) || hasLongNumber(bytes) ? JSON.parse(text, refuseUnsafe) : JSON.parse(text)
  } catch (error) {
    if (PosthasteError.is(error)) throw error
    throw malformed(`is not JSON: ${(error as Error).message}`)
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    throw malformed('is not valid UTF-8')
  }
}

/**
 * Texts that may hold the member that {@link refuseUnsafe} looks for; all others are spared its cost. Every character of
 * `__proto__` may be written as an escape, from `\u005f` to `\u0074`.
 */
const suspicious = /__proto__|\\u00[567]/i

interface ReviverContext {
  /** The number as it was written; only primitives have one. */
  readonly source?: string
}

function refuseUnsafe(key: string, value: unknown, context?: ReviverContext): unknown {
  if (key === '__proto__') throw malformed(`must not have a member '__proto__'`)
  if (typeof value !== 'number' || Number.isSafeInteger(value)) return value
  if (context?.source !== undefined && /^-?\d+$/.test(context.source)) {
    throw malformed(`has an integer at '${key}' that a double would round; send it as a string`)
  }
  return value
}

/** Whether brackets nest deeper than `depthMax`, without parsing: a body that is all brackets must not get that far. */
function deeperThan(bytes: Uint8Array, depthMax: number): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inString) {
      if (byte === backslash) i++
      else if (byte === quote) inString = false
    } else if (byte === quote) inString = true
    else if (byte === openBracket || byte === openBrace) {
      if (++depth > depthMax) return true
    } else if (byte === closeBracket || byte === closeBrace) depth--
  }
  return false
}

const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

function malformed(what: string): PosthasteError {
  return new PosthasteError('BODY_MALFORMED', `the body ${what}`)
}
