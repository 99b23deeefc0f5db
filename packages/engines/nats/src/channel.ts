import type { ChannelSpec, GroupSpec } from '@posthaste/contracts'
import type { ChannelNames } from './names.ts'

/** A group as its consumers tell. */
export interface Group {
  readonly name: string
  readonly lifetime: NonNullable<GroupSpec['lifetime']>
}

/** A channel as its stream tells. */
export interface Channel {
  readonly spec: ChannelSpec
  readonly names: ChannelNames
  /** Into how many ranges its keys are divided; 0 where it is not keyed. */
  readonly keyRanges: number
  readonly groups: Map<string, Group>
}

/** The ranges of a channel, or the one that is none. */
export function rangesOf({ keyRanges }: Pick<Channel, 'keyRanges'>): readonly (number | undefined)[] {
  return keyRanges === 0 ? [undefined] : Array.from({ length: keyRanges }, (_, range) => range)
}
