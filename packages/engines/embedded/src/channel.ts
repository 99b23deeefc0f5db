import type { ChannelSpec, OutgoingRecord } from '@posthaste/contracts'
import type { KnownIds } from './deduplication.ts'
import type { Group } from './group/group.ts'
import type { ChannelLog } from './log/channel-log.ts'
import type { Cursor } from './log/cursor.ts'
import type { ScheduleTarget } from './scheduler.ts'
import type { GroupRow } from './topology-rows.ts'

/** A channel with its logs and its groups. */
export interface Channel {
  readonly spec: ChannelSpec
  /** Where its records go in. */
  readonly inlet: ScheduleTarget
  /** One for each level of priority, the lowest first; one where there are none. */
  readonly lanes: readonly ChannelLane[]
  readonly groups: Map<string, ChannelGroup>
  /** The ids that it recognises; absent where it does not. */
  readonly knownIds: KnownIds | undefined
}

/** The log of one level of priority. */
export interface ChannelLane {
  readonly log: ChannelLog
  /** What has been settled of a queue, whether or not it has a group. */
  readonly queueCursor: Cursor | undefined
}

/** A group with the logs of what is addressed to it alone. */
export interface ChannelGroup {
  readonly row: GroupRow
  readonly group: Group
  /** One for each level of priority, the lowest first. */
  readonly returns: readonly ChannelLog[]
  /** Where records go in that are addressed to it. */
  readonly inlet: ScheduleTarget
}

/** Gives each record to the log of its level of priority. */
class PriorityInlet implements ScheduleTarget {
  readonly id: number
  readonly name: string
  readonly #logs: readonly ChannelLog[]

  constructor(lowest: ChannelLog, logs: readonly ChannelLog[]) {
    this.id = lowest.id
    this.name = lowest.name
    this.#logs = logs
  }

  append(record: OutgoingRecord): void {
    const level = Math.min(this.#logs.length - 1, record.priority ?? 0)
    this.#logs[level]!.append(record)
  }
}

/** Where records go in that belong into one of these logs, the one of the lowest level first. */
export function inletOf(logs: readonly ChannelLog[]): ScheduleTarget {
  const lowest = logs[0]!
  return logs.length === 1 ? lowest : new PriorityInlet(lowest, logs)
}
