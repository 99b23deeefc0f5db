import type { OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { Notes } from './notes.ts'
import type { OverdueTransactions } from './overdue.ts'
import type { Routed } from './producer.ts'
import type { Decode } from './range.ts'
import type { Transactors } from './transactor.ts'

/** What a subscription reads, and what it needs for it. */
export interface ConsumerSource {
  readonly channel: string
  readonly topic: string
  readonly groupId: string
  /** The group that records may be addressed to. */
  readonly group: string | undefined
  /** The group as notes are kept for it: a temporary one of the same name has others. */
  readonly noted: string
  /** Whether the group goes with its process: where the server does not know its position, it begins at the end. */
  readonly isTemporary?: boolean
  readonly instanceId: string | undefined
  /** A name that no other subscription of the process has. */
  readonly name: string
  readonly decode: Decode
  /** Where notes are; without them no range has any. */
  readonly notes: Notes | undefined
  readonly transactors: Transactors
  readonly overdue: OverdueTransactions
  /** Where a record goes, or why it cannot. */
  readonly route: (record: OutgoingRecord) => Routed | PosthasteError
  /** Finds out what was declared meanwhile. */
  readonly refresh: () => Promise<void>
  readonly onStopped?: (() => Promise<void>) | undefined
}
