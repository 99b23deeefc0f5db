import {
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type ReleaseSettlement,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { deliveryLost } from './errors.ts'
import { copyOf, type Held, type Return } from './held.ts'
import type { Publisher } from './publisher.ts'

/** A settlement and what it settles, if this member has that. */
export interface Ending {
  readonly settlement: Settlement
  readonly held: Held | undefined
}

/** Whether a settlement has anything published before its message may go. */
export function publishes(settlement: Settlement): boolean {
  return settlement.kind === 'release' || (settlement.publish !== undefined && settlement.publish.length > 0)
}

/**
 * Publishes what must stand before messages are acknowledged, all of it in one go: what acknowledgements bring with them,
 * and for each release the copy that comes again. Where it fails, nothing of that settlement may be acknowledged.
 */
export async function publishFirst(
  publisher: Publisher,
  endings: readonly Ending[],
  returnOf: (release: ReleaseSettlement) => Return,
): Promise<readonly Outcome[]> {
  const records: OutgoingRecord[] = []
  const copies = endings.flatMap(({ settlement, held }) => {
    if (held === undefined) return []
    if (settlement.kind === 'release') return [copyOf(held, returnOf(settlement))]
    records.push(...(settlement.publish ?? []))
    return []
  })
  try {
    const answers = await Promise.all([publisher.publish(records), publisher.send(copies)])
    const [published, returned] = answers.map((outcomes) => outcomes[Symbol.iterator]())
    const next = (outcomes: Iterator<Outcome> | undefined): Outcome => outcomes?.next().value ?? succeeded
    return endings.map(({ settlement, held }) => {
      if (held === undefined) return deliveryLost
      if (settlement.kind === 'release') return next(returned)
      const own = (settlement.publish ?? []).map(() => next(published))
      return own.find(({ ok }) => !ok) ?? succeeded
    })
  } catch (thrown) {
    const outcome: Outcome = { ok: false, error: PosthasteError.from(thrown, 'UNAVAILABLE', 'settling') }
    return endings.map(({ held }) => (held === undefined ? deliveryLost : outcome))
  }
}
