/**
 * What a failure means. Filters and handlers speak in verdicts; only the edge of a pipeline turns one into an
 * acknowledgement, a redelivery, a dead letter or a status code.
 *
 * - `retryable`: the same work may succeed later.
 * - `permanent`: the same work will fail again; do not retry.
 * - `ignored`: not a failure of the work (the caller gave up, the handler skipped it); counted nowhere, retried never.
 *
 * @see Finagle `ResponseClass`
 */
export type Verdict = 'retryable' | 'permanent' | 'ignored'

const verdicts: ReadonlySet<unknown> = new Set<Verdict>(['retryable', 'permanent', 'ignored'])

/**
 * The verdict on anything that was thrown. An object that carries a `verdict` of its own (every `PosthasteError` does)
 * is believed; anything else is `retryable`, because losing work is worse than repeating it.
 */
export function verdictOf(thrown: unknown): Verdict {
  return ownVerdict(thrown) ?? 'retryable'
}

/** The verdict that a thrown value brings, or undefined where it brings none, or none that exists. */
export function ownVerdict(thrown: unknown): Verdict | undefined {
  if (typeof thrown !== 'object' || thrown === null || !('verdict' in thrown)) return undefined
  return verdicts.has(thrown.verdict) ? (thrown.verdict as Verdict) : undefined
}
