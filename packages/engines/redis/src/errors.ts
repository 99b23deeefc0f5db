import { certificateRemedy, type ErrorCode, type Outcome, PosthasteError } from '@posthaste/contracts'

/** The server refused or broke off a call; `what` names the call. Its own words come with it. */
export function serverError(what: string, thrown: unknown): PosthasteError {
  if (PosthasteError.is(thrown)) return thrown
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const { code, remedy } = meaningOf(text)
  return new PosthasteError(code, `redis: ${what}: ${text}`, { cause: thrown, remedy })
}

/** No connection came to be: the server refused it, or whoever answers is none. */
export function connectError(where: string, thrown: unknown): PosthasteError {
  if (PosthasteError.is(thrown)) return thrown
  const what = `connecting to ${where}`
  const { message, code } = Object(thrown) as { readonly message?: unknown; readonly code?: unknown }
  if (/RESP type|^Protocol error/.test(String(message)))
    return stranger('FAILED_PRECONDITION', `${what}: what answers is no Redis server: ${message}`, thrown)
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER')
    return stranger('FAILED_PRECONDITION', `${what}: what answers does not speak TLS: ${message}`, thrown)
  if (code === 'ECONNRESET' || code === 'EPIPE' || message === 'Connection is closed.')
    return stranger('UNAVAILABLE', `${what}: the other side hung up: ${message}`, thrown)
  const remedy = certificateRemedy(thrown)
  return remedy === undefined
    ? serverError(what, thrown)
    : new PosthasteError('UNAVAILABLE', `redis: ${what}: ${message}`, { cause: thrown, remedy })
}

/** The connection stands, and nobody says anything. */
export function silent(where: string, forMs: number): PosthasteError {
  return stranger('UNAVAILABLE', `connecting to ${where}: no answer within ${forMs} ms`)
}

function stranger(code: ErrorCode, what: string, cause?: unknown): PosthasteError {
  const remedy = 'Correct host and port in the url; rediss: is for servers with TLS, redis: for those without.'
  return new PosthasteError(code, `redis: ${what}`, { cause, remedy })
}

/**
 * The server does not let us use a database of that number.
 * @throws FAILED_PRECONDITION or what was thrown, where that says something else
 */
export function refuseDatabase(db: number, thrown: unknown): never {
  const text = thrown instanceof Error ? thrown.message : ''
  if (!/^(ERR|NOPERM)\b/.test(text)) throw thrown
  throw new PosthasteError('FAILED_PRECONDITION', `redis: database ${db} cannot be selected: ${text}`, {
    cause: thrown,
    remedy: 'Name a database in the url that the server has, and allow the user SELECT.',
  })
}

interface Meaning {
  readonly code: ErrorCode
  readonly remedy?: string
}

/** What the words that an error of the server begins with mean. @see https://redis.io/docs/latest/develop/reference/protocol-spec/ */
const meanings: Readonly<Record<string, Meaning>> = {
  NOAUTH: { code: 'UNAUTHENTICATED', remedy: 'Give the username and password of a user of the server.' },
  WRONGPASS: { code: 'UNAUTHENTICATED', remedy: 'Correct the username and password.' },
  NOPERM: { code: 'PERMISSION_DENIED', remedy: 'Allow the user EVAL, SCRIPT, SUBSCRIBE and all keys of the prefix.' },
  OOM: { code: 'ENGINE_WRITE_FAILED', remedy: 'Give the server more memory, or let consumers catch up.' },
  MISCONF: { code: 'ENGINE_WRITE_FAILED', remedy: 'Repair the disk of the server; its log says what is wrong.' },
  READONLY: { code: 'UNAVAILABLE', remedy: 'Connect to the primary, or wait until the failover is over.' },
  LOADING: { code: 'UNAVAILABLE', remedy: 'Wait until the server has loaded its data.' },
  BUSY: { code: 'UNAVAILABLE', remedy: 'Look for the script that keeps the server busy.' },
  CROSSSLOT: { code: 'INTERNAL' },
  ERR: { code: 'INTERNAL' },
  WRONGTYPE: { code: 'INTERNAL', remedy: 'Give the engine a prefix that nobody else uses.' },
}

function meaningOf(text: string): Meaning {
  const [word = ''] = text.split(/[\s:]/, 1)
  if (word === 'ERR' && /invalid password|AUTH/i.test(text)) return meanings.WRONGPASS as Meaning
  return meanings[word] ?? { code: 'UNAVAILABLE' }
}

/** The server did not answer in time, or cannot be reached. */
export function unavailable(what: string, cause?: unknown): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `redis: ${what}`, { cause })
}

/** The engine is used before `open` or after `close`. */
export function notOpen(): PosthasteError {
  return new PosthasteError('ENGINE_CLOSED', 'the redis engine is not open')
}

/** A delivery that the subscription does not (or no longer) hold. */
export const deliveryLost: Outcome = Object.freeze({
  ok: false,
  error: new PosthasteError('DELIVERY_LOST', 'the delivery is not held by this subscription'),
})

/** A failed outcome. */
export function failed(code: ErrorCode, message: string): Outcome {
  return { ok: false, error: new PosthasteError(code, message) }
}

/** Nobody has declared the channel, or the group. */
export function undeclared(what: string): PosthasteError {
  return new PosthasteError('NOT_FOUND', `${what}: it is not declared`)
}
