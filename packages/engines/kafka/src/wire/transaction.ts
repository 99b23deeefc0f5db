import { txnOffsetCommitV4 } from '@platformatic/kafka'
import { ByteWriter } from './bytes.ts'
import type { Request } from './request.ts'

/** Who writes: a producer, in one of its epochs. */
export interface ProducerIdentity {
  readonly producerId: bigint
  readonly producerEpoch: number
}

/** What ending a transaction gave: the identity for the next. */
export interface EndAnswer extends ProducerIdentity {
  readonly errorCode: number
}

/** Version 5: each transaction ends with a new epoch, so that nothing late can join the next. @see KIP-890 */
export function endTransaction(
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  commit: boolean,
): Request<EndAnswer> {
  return {
    key: 26,
    version: 5,
    write() {
      const writer = new ByteWriter(64)
      writer.compactString(transactionalId)
      writer.int64(producerId)
      writer.int16(producerEpoch)
      writer.int8(commit ? 1 : 0)
      writer.tags()
      return writer.written
    },
    read(reader) {
      reader.int32()
      return { errorCode: reader.int16(), producerId: reader.int64(), producerEpoch: reader.int16() }
    },
  }
}

/** The position of a group in one partition. */
export interface PartitionPosition {
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** Positions of a group, and as whom they are written; epoch −1 without a member id where the group has no members. */
export interface GroupPositions {
  readonly groupId: string
  readonly memberId: string
  readonly epoch: number
  readonly instanceId: string | undefined
  readonly topic: string
  readonly positions: readonly PartitionPosition[]
}

/** Version 5 of what version 4 is for, with the same fields: joins the transaction by being sent. */
export function commitInTransaction(
  transactionalId: string,
  { producerId, producerEpoch }: ProducerIdentity,
  commit: GroupPositions,
): Request<number> {
  return {
    key: 28,
    version: 5,
    write() {
      const { groupId, epoch, memberId, instanceId = null } = commit
      const topics = [{ name: commit.topic, partitions: protocolPositions(commit.positions) }]
      return txnOffsetCommitV4.createRequest(
        ...([transactionalId, groupId, producerId, producerEpoch] as const),
        ...([epoch, memberId, instanceId, topics] as const),
      ).buffer
    },
    read(reader) {
      reader.int32()
      let failed = 0
      for (let topics = reader.arrayLength(); topics > 0; topics -= 1) {
        reader.compactString()
        for (let partitions = reader.arrayLength(); partitions > 0; partitions -= 1) {
          reader.int32()
          const errorCode = reader.int16()
          if (errorCode !== 0) failed = errorCode
          reader.tags()
        }
        reader.tags()
      }
      return failed
    },
  }
}

/** Positions as the client's encoders take them. */
export function protocolPositions(positions: readonly PartitionPosition[]) {
  return positions.map(({ partition, offset, metadata }) => ({
    partitionIndex: partition,
    committedOffset: BigInt(offset),
    committedLeaderEpoch: -1,
    committedMetadata: metadata,
  }))
}
