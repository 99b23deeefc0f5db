import type { ChannelSpec, GroupSpec } from '@posthaste/contracts'

/** Ids of what a channel has for one level of priority. */
export interface LaneIds {
  readonly logId: number
  readonly cursorId: number
}

/** A channel as the store knows it. */
export interface ChannelRow extends LaneIds {
  readonly spec: ChannelSpec
  /** For each level of priority above the lowest. */
  readonly above?: readonly LaneIds[] | undefined
}

/** Ids of what a group has for one level of priority. */
export interface GroupLaneIds {
  readonly cursorId: number
  readonly returnsId: number
  readonly returnsCursorId: number
}

/** A group as the store knows it. */
export interface GroupRow extends GroupLaneIds {
  readonly channel: string
  readonly group: string
  readonly lifetime?: GroupSpec['lifetime']
  /** For each level of priority above the lowest. */
  readonly above?: readonly GroupLaneIds[] | undefined
}

/** Keys of the topology table begin with one of these, but for that of the next id. */
export const channelPrefix = 'channel/'
export const groupPrefix = 'group/'
export const patternPrefix = 'pattern/'
export const gonePrefix = 'gone/'
export const nextIdKey = 'next-id'

/** The ids of every level of priority, the lowest first. */
export function lanesOf<Ids extends LaneIds | GroupLaneIds>(
  row: Ids & { readonly above?: readonly Ids[] | undefined },
): readonly Ids[] {
  return [row, ...(row.above ?? [])]
}
