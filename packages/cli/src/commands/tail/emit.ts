import type { BrowsedRecord, OutgoingRecord, RecordMatch } from '@posthaste/contracts'
import type { Print } from '../../output/print.ts'
import { recordJson, recordText } from '../../output/records.ts'

/** A message, where it stands. */
export type Found = Pick<BrowsedRecord, 'position' | 'storedAtMs' | 'record'>

/** Shows what is wanted, and says whether that is enough. */
export type Emit = (found: Found) => Promise<'more' | 'enough'>

/** What is wanted. */
export interface Wanted {
  readonly match: RecordMatch
  /** Enough is so many; undefined: never. */
  readonly limit: number | undefined
}

/** Shows each message that is wanted, on a line of its own. */
export function emitter({ print }: { readonly print: Print }, { match, limit }: Wanted): Emit {
  let shown = 0
  return async (found) => {
    if (!fits(found.record, match)) return 'more'
    shown += 1
    await print.item({ json: recordJson(found), text: () => recordText(found, print.dim) })
    return limit !== undefined && shown >= limit ? 'enough' : 'more'
  }
}

function fits({ id, key, headers }: OutgoingRecord, match: RecordMatch): boolean {
  if (match.id !== undefined && match.id !== id) return false
  if (match.key !== undefined && match.key !== key) return false
  return match.correlationId === undefined || match.correlationId === (headers.correlationid ?? id)
}
