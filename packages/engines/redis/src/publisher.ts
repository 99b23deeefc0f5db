import { type EngineHost, type OutgoingRecord, succeeded } from '@posthaste/contracts'
import { refusal } from './admission.ts'
import { Batcher } from './batcher.ts'
import type { Connection } from './connection.ts'
import { failed } from './errors.ts'
import { packRecord } from './record-fields.ts'
import type { ServerTime } from './server-time.ts'
import { Packer } from './wire.ts'

/** What publishing needs. */
export interface PublisherNeeds {
  readonly connection: Connection
  readonly time: ServerTime
  readonly host: EngineHost
  readonly timeoutMs: number
}

/** While the server stores one batch, the next is packed and sent. */
const underWayMax = 2

/** Stores records, in the order of the calls. */
export function publisher({ connection, time, host, timeoutMs }: PublisherNeeds): Batcher<OutgoingRecord> {
  const packer = new Packer()
  return new Batcher<OutgoingRecord>({
    clock: host.clock,
    timeoutMs,
    underWayMax,
    pack(into, record) {
      const error = refusal(record)
      if (error !== undefined) return { ok: false, error }
      packRecord(into, record, time.atServer(record.dueAtMs))
      return undefined
    },
    async send(count, packed, deadlineMs) {
      const call = packer.array(1).array(count).packed(packed).take()
      const { reply } = await connection.call('publish', call, { deadlineMs })
      if (!reply.isArray()) return () => succeeded
      reply.array()
      return ({ id, channel }) => {
        if (reply.isText()) return failed('NOT_FOUND', `record ${id} for ${channel}: ${reply.text()}`)
        reply.number()
        return succeeded
      }
    },
  })
}
