import type { Clock } from '@posthaste/contracts'
import type { ChannelLog } from '../log/channel-log.ts'
import type { Committer } from '../storage/committer.ts'
import type { Store } from '../storage/store.ts'
import type { Isolation } from './isolation.ts'

/** What a group needs from the engine. */
export interface GroupContext {
  readonly store: Store
  readonly committer: Committer
  readonly clock: Clock
  /** Shared by all groups. */
  readonly isolation: Isolation
  /** Whether the engine can write no more, and so must hand over no more. */
  readonly failed: () => boolean
  /** A record that cannot be read. */
  readonly onDamaged: (log: ChannelLog, offset: number) => void
  /** The group holds as much as it may, and reads nothing new for now; or it does so no more. */
  readonly onFull: (full: FullGroup) => void
}

/** A group that has come to its bound, or is well below it again. */
export interface FullGroup {
  readonly channel: string
  readonly group: string
  /** Unsettled records it holds. */
  readonly held: number
  readonly full: boolean
}
