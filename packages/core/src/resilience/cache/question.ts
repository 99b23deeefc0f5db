import type { Call } from '@posthaste/contracts'
import { stableText } from './stable-text.ts'

/** Whether an answer that was given to the same call before may stand for a new one. Never for messages. */
export function isQuestion(call: Call): boolean {
  return call.idempotent && (call.kind === 'request' || call.kind === 'serve')
}

/**
 * What tells calls apart unless an application knows better: target, caller (header `authorization`) and payload. Undefined
 * where the payload has no {@link stableText}.
 */
export function questionKey(call: Call): string | undefined {
  const payload = stableText(call.payload)
  return payload === undefined ? undefined : `${call.target}\n${call.headers.authorization ?? ''}\n${payload}`
}

/** A stream can be read once, so it answers one call only. */
export function isStream(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value
}
