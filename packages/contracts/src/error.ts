import { type ErrorCode, errorCodes } from './codes.ts'
import { ownVerdict, type Verdict } from './verdict.ts'

/** One thing that is wrong, and where. The shape of a Standard Schema issue, with the path as text. */
export interface Issue {
  readonly message: string
  /** Dotted path to the offending value, e.g. `items.0.quantity`; empty for the value itself. */
  readonly path: string
}

/** What an error may say beyond its code. */
export interface PosthasteErrorOptions {
  /** One imperative sentence; defaults to the code's own remedy. */
  readonly remedy?: string | undefined
  /** Overrides the code's verdict. */
  readonly verdict?: Verdict | undefined
  /** What led to it. */
  readonly cause?: unknown
  /** What is wrong, one entry per mistake, so that everything can be mended at once. */
  readonly issues?: readonly Issue[] | undefined
  /** Machine-readable facts that may cross the wire. Never secrets. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** Earliest sensible time for another attempt, in milliseconds from now. */
  readonly retryAfterMs?: number | undefined
  /** It is certain that nothing reached the callee, so that any call may be made again. Default: false. */
  readonly notSent?: boolean | undefined
}

const brand = Symbol.for('posthaste.error')

/**
 * The only error class. `code` says what kind of thing happened (closed list, see {@link errorCodes}), `message` what
 * happened to which thing, `remedy` what to do about it, `verdict` whether a repetition can help.
 *
 * Two copies of this package recognise each other's errors: use {@link PosthasteError.is} rather than `instanceof`.
 */
export class PosthasteError extends Error {
  override readonly name = 'PosthasteError'
  readonly code: ErrorCode
  readonly verdict: Verdict
  readonly remedy: string
  readonly issues: readonly Issue[]
  readonly details: Readonly<Record<string, unknown>> | undefined
  readonly retryAfterMs: number | undefined
  /**
   * Whether it is certain that nothing reached the callee. Speaks of the call it came from alone: transports neither send
   * nor believe it, and a handler that fails with it has been reached.
   */
  readonly notSent: boolean

  constructor(code: ErrorCode, message: string, options: PosthasteErrorOptions = {}) {
    super(`[${code}] ${message}`, options.cause === undefined ? undefined : { cause: options.cause })
    const registered = errorCodes[code]
    this.code = code
    this.verdict = options.verdict ?? registered.verdict
    this.remedy = options.remedy ?? registered.remedy
    this.issues = options.issues ?? []
    this.details = options.details
    this.retryAfterMs = options.retryAfterMs
    this.notSent = options.notSent ?? false
    Object.defineProperty(this, brand, { value: true })
  }

  /** Whether a value is a `PosthasteError`, of this copy of the package or another; with `code`, of that code. */
  static is(value: unknown, code?: ErrorCode): value is PosthasteError {
    return (
      typeof value === 'object' &&
      value !== null &&
      brand in value &&
      (code === undefined || (value as { readonly code?: unknown }).code === code)
    )
  }

  /**
   * Anything that was thrown, as a `PosthasteError`: one stays as it is, anything else becomes the cause of a new one
   * with the given code, and with the verdict the cause brings or else that of the code.
   */
  static from(thrown: unknown, code: ErrorCode, message: string): PosthasteError {
    if (PosthasteError.is(thrown)) return thrown
    return new PosthasteError(code, `${message}: ${textOf(thrown)}`, { cause: thrown, verdict: ownVerdict(thrown) })
  }
}

/** What a thrown value says of itself; anything can be thrown, even what has no text. */
function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    return 'something without a text was thrown'
  }
}

/** How a handler asks for another attempt. */
export interface RetryRequest {
  /** Milliseconds until the next attempt, at most 2^31-1; overrides the ladder's own wait for this attempt only. */
  readonly afterMs?: number | undefined
}

/** A handler's answer, thrown or returned: try this message again later. Counts as an attempt. */
export function retryLater(reason: string, request: RetryRequest = {}): PosthasteError {
  return new PosthasteError('HANDLER_RETRY', reason, { retryAfterMs: request.afterMs })
}

/** A handler's answer, thrown or returned: this message goes to the dead letters at once. */
export function reject(reason: string): PosthasteError {
  return new PosthasteError('HANDLER_REJECTED', reason)
}

/** A handler's answer, thrown or returned: settle this message without effect; what was published through `ctx` is dropped. */
export function ignore(reason: string): PosthasteError {
  return new PosthasteError('HANDLER_IGNORED', reason)
}
