import { type Outcome, PosthasteError, type PreparedName, type Preparing } from '@posthaste/contracts'

/** A message that is durable and that nobody sees until it is decided about. */
export interface Preparation {
  readonly id: string
  /**
   * Publishes it. Resolves when the engine has confirmed that. Again: the same promise, unless it failed.
   *
   * @throws CONFLICT after {@link Preparation.rollback}; NOT_FOUND when somebody else has decided first, or this very call
   *   did and its confirmation was lost; what the engine fails with
   */
  commit(): Promise<void>
  /** Forgets it. Otherwise like {@link Preparation.commit}. */
  rollback(): Promise<void>
}

/** What becomes of a prepared message. */
export type Decision = 'commit' | 'rollback'

/** The first decision counts: the engine sees to that between processes, and this does within one. */
export function preparation(preparing: Preparing, name: PreparedName): Preparation {
  let made: { readonly decision: Decision; readonly done: Promise<void> } | undefined

  const decideOnce = (decision: Decision): Promise<void> => {
    if (made?.decision === decision) return made.done
    if (made !== undefined) {
      const message = `${name.channel}: message ${name.id} is not to get a ${decision} after a ${made.decision}`
      return Promise.reject(new PosthasteError('CONFLICT', message))
    }
    const done = decide(preparing, decision, name)
    made = { decision, done }
    done.catch(() => {
      made = undefined
    })
    return done
  }

  return { id: name.id, commit: () => decideOnce('commit'), rollback: () => decideOnce('rollback') }
}

/**
 * Decides about a prepared message.
 * @throws NOT_FOUND when it is decided already, or never was; what the engine fails with
 */
export async function decide(preparing: Preparing, decision: Decision, name: PreparedName): Promise<void> {
  const [outcome] = await preparing[decision]([name])
  confirmed(outcome, name)
}

/** @throws what the engine refuses it with */
export function confirmed(outcome: Outcome | undefined, { channel, id }: PreparedName): void {
  if (outcome?.ok) return
  throw outcome?.error ?? new PosthasteError('UNAVAILABLE', `${channel}: the engine said nothing about message ${id}`)
}
