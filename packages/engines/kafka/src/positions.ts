import { consumerGroupDescribeV0, offsetCommitV9, offsetFetchV9 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { hasCode, kafkaCodes } from './errors.ts'
import { type GroupPosition, positionFrom, positionText } from './window.ts'
import { type GroupPositions, type PartitionPosition, protocolPositions } from './wire/transaction.ts'

/** Where a group stands in the partitions of a topic; those it has no position in are left out. */
export async function readPositions(
  cluster: Cluster,
  groupId: string,
  { topic, partitions }: { readonly topic: string; readonly partitions: readonly number[] },
): Promise<Map<number, GroupPosition>> {
  const found = new Map<number, GroupPosition>()
  try {
    const wanted = [
      { groupId, memberId: null, memberEpoch: -1, topics: [{ name: topic, partitionIndexes: [...partitions] }] },
    ]
    // Stable: waits for transactions that hold positions of the group.
    const answer = await cluster.coordinated('group', groupId, (lane) => lane.call(offsetFetchV9.api, wanted, true))
    for (const { partitions: each } of answer.groups[0]?.topics ?? [])
      for (const { partitionIndex, committedOffset, metadata } of each)
        if (committedOffset >= 0n) found.set(partitionIndex, positionFrom(Number(committedOffset), metadata))
  } catch (error) {
    if (!hasCode(error, kafkaCodes.groupNotFound, kafkaCodes.unknownTopic)) throw error
  }
  return found
}

/** Writes where a group stands. */
export async function writePositions(cluster: Cluster, commit: GroupPositions): Promise<void> {
  const { groupId, epoch, memberId, instanceId = null, topic, positions } = commit
  const topics = [{ name: topic, partitions: protocolPositions(positions) }]
  await cluster.coordinated('group', groupId, (lane) =>
    lane.call(offsetCommitV9.api, groupId, epoch, memberId, instanceId, topics),
  )
}

/** A position in the form of the protocol. */
export function partitionPosition(partition: number, position: GroupPosition): PartitionPosition {
  return { partition, offset: position.offset, metadata: positionText(position) }
}

/** Positions written from outside of a group, which only a group without members takes. */
export function fromOutside(groupId: string, topic: string, positions: readonly PartitionPosition[]): GroupPositions {
  return { groupId, memberId: '', epoch: -1, instanceId: undefined, topic, positions }
}

/** How many members a group has. */
export async function memberCount(cluster: Cluster, groupId: string): Promise<number> {
  try {
    const answer = await cluster.coordinated('group', groupId, (lane) =>
      lane.call(consumerGroupDescribeV0.api, [groupId], false),
    )
    return answer.groups[0]?.members.length ?? 0
  } catch (error) {
    // A group that has only ever been given positions is none of this protocol yet.
    if (hasCode(error, kafkaCodes.groupNotFound)) return 0
    throw error
  }
}
