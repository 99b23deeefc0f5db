import type { Outcome } from '@posthaste/contracts'
import type { Committer } from './storage/committer.ts'

/** The outcomes once all that they speak of is durable; what went well did not if that cannot be. */
export function whenDurable(committer: Committer, outcomes: readonly Outcome[]): Promise<readonly Outcome[]> {
  return new Promise((resolve) => {
    committer.wait((failure) => {
      if (failure === undefined) resolve(outcomes)
      else resolve(outcomes.map((outcome) => (outcome.ok ? { ok: false, error: failure } : outcome)))
    })
  })
}
