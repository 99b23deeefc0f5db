import { type Issue, isErrorCode, type Outcome, PosthasteError, succeeded } from '@posthaste/contracts'
import type { Reader } from './reader.ts'
import type { Writer } from './writer.ts'

/** An error as it travels. */
export interface SentError {
  readonly code: string
  readonly message: string
  readonly remedy?: string
  readonly verdict?: string
  readonly issues?: readonly Issue[]
  readonly details?: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number
}

/** What is told of an error; its cause and its stack stay at home. */
export function sentError(error: PosthasteError): SentError {
  const { code, message, remedy, verdict, issues, details, retryAfterMs } = error
  const prefix = `[${code}] `
  return {
    code,
    message: message.startsWith(prefix) ? message.slice(prefix.length) : message,
    remedy,
    verdict,
    ...(issues.length > 0 ? { issues } : {}),
    ...(details === undefined ? {} : { details }),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
}

/** The error that was told. A code that this version does not know is `INTERNAL`. */
export function receivedError(sent: SentError): PosthasteError {
  const { code, message, remedy, verdict, issues, details, retryAfterMs } = sent
  return new PosthasteError(isErrorCode(code) ? code : 'INTERNAL', String(message), {
    remedy,
    verdict: verdict === 'retryable' || verdict === 'permanent' || verdict === 'ignored' ? verdict : undefined,
    issues,
    details,
    retryAfterMs,
  })
}

/** Writes outcomes: how many failed, and of each which it was and why, each reason once. Nearly always one byte. */
export function writeOutcomes(writer: Writer, outcomes: readonly Outcome[]): void {
  let failures = 0
  for (let at = 0; at < outcomes.length; at++) if (!outcomes[at]!.ok) failures++
  writer.varint(failures)
  if (failures === 0) return
  const known = new Map<PosthasteError, number>()
  for (const [at, outcome] of outcomes.entries()) {
    if (outcome.ok) continue
    writer.varint(at)
    const number = known.get(outcome.error) ?? known.size
    writer.varint(number)
    if (known.has(outcome.error)) continue
    known.set(outcome.error, number)
    writer.sizedText(JSON.stringify(sentError(outcome.error)))
  }
}

const none: ReadonlyMap<number, Outcome> = new Map()

/** Reads outcomes: those that are not ok, by their places. */
export function readFailures(reader: Reader): ReadonlyMap<number, Outcome> {
  const failures = reader.varint()
  if (failures === 0) return none
  const failed = new Map<number, Outcome>()
  const known: Outcome[] = []
  for (let left = failures; left > 0; left--) {
    const at = reader.varint()
    const number = reader.varint()
    if (number === known.length)
      known.push({ ok: false, error: receivedError(JSON.parse(reader.sizedText()) as SentError) })
    failed.set(at, known[number] ?? succeeded)
  }
  return failed
}
