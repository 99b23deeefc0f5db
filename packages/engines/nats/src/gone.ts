import { ackKinds, tell } from './acks.ts'
import type { Link } from './link.ts'

/** Which consumer of which stream. */
export interface ConsumerPlace {
  readonly stream: string
  readonly consumer: string
}

/**
 * Acknowledges for a consumer what its stream does not have any more. A server that was killed may have kept that a record
 * was removed and forgotten that it was acknowledged: the consumer then has it pending for as long as anything stands in
 * front of it, and never delivers it. For what is not pending an acknowledgement means nothing.
 * @throws UNAVAILABLE ENGINE_CLOSED
 */
export async function acknowledgeGone(link: Link, { stream, consumer }: ConsumerPlace): Promise<void> {
  const { ack_floor, delivered } = await link.admin('range', (manager) => manager.consumers.info(stream, consumer))
  const { state } = await link.admin('range', (manager) => manager.streams.info(stream, { deleted_details: true }))
  const gone = (state.deleted ?? []).filter((seq) => seq > ack_floor.stream_seq && seq <= delivered.stream_seq)
  await tell(
    link,
    ackKinds.done,
    gone.map((seq) => ackSubjectOf({ stream, consumer }, seq)),
  )
}

/** Where a consumer hears of a record, whether or not it was handed to us. @see ADR-15 of NATS */
function ackSubjectOf({ stream, consumer }: ConsumerPlace, seq: number): string {
  return `$JS.ACK.${stream}.${consumer}.1.${seq}.1.0.0`
}
