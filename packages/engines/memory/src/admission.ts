import { type ErrorCode, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { capabilities, keyBytesMax } from './features.ts'

const utf8 = new TextEncoder()

/** UTF-16 code units become at most three bytes each. */
const bytesPerUnit = 3

/** Why a record cannot be stored; undefined when it can. Changes nothing. */
export function refusal(record: OutgoingRecord, channels: ReadonlyMap<string, Channel>): PosthasteError | undefined {
  const { group, key, body, priority = 0 } = record
  const channel = channels.get(record.channel)
  if (channel === undefined) return refuse(record, 'NOT_FOUND', 'the channel is not declared')
  if (group !== undefined && !channel.groups.has(group)) {
    return refuse(record, 'NOT_FOUND', `the group ${group} is not declared`)
  }
  const { bodyBytesMax, headerBytesMax } = capabilities
  if (body.byteLength > bodyBytesMax) {
    return refuse(record, 'BODY_TOO_LARGE', `the body has ${body.byteLength} bytes, the limit is ${bodyBytesMax}`)
  }
  if (key !== undefined && key.length * bytesPerUnit > keyBytesMax && utf8.encode(key).byteLength > keyBytesMax) {
    return refuse(record, 'INVALID_ARGUMENT', `the key is longer than ${keyBytesMax} bytes`)
  }
  if (headerBytes(record) > headerBytesMax) {
    return refuse(record, 'INVALID_ARGUMENT', `the headers have more than ${headerBytesMax} bytes`)
  }
  if (!Number.isInteger(priority) || priority < 0) {
    return refuse(record, 'INVALID_ARGUMENT', `priority ${priority} is not 0 or a whole number above`)
  }
  return undefined
}

function refuse({ id, channel }: OutgoingRecord, code: ErrorCode, what: string): PosthasteError {
  return new PosthasteError(code, `record ${id} for ${channel}: ${what}`)
}

/** An upper bound where that is within the limit, which spares encoding; the exact size elsewhere. */
function headerBytes({ headers }: OutgoingRecord): number {
  let units = 0
  for (const name in headers) units += name.length + (headers[name] as string).length
  if (units * bytesPerUnit <= capabilities.headerBytesMax) return units * bytesPerUnit
  return utf8.encode(Object.entries(headers).flat().join('')).byteLength
}
