import { type ErrorCode, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { capabilities, keyBytesMax } from './features.ts'

const utf8 = new TextEncoder()

/** UTF-16 code units become at most three bytes each. */
const bytesPerUnit = 3

/** Why a record cannot be stored; undefined when it can. Changes nothing. */
export function refusal(record: OutgoingRecord, channels: ReadonlyMap<string, Channel>): PosthasteError | undefined {
  const { id, group, key, body, priority = 0 } = record
  const refuse = (code: ErrorCode, what: string) =>
    new PosthasteError(code, `record ${id} for ${record.channel}: ${what}`)
  const channel = channels.get(record.channel)
  if (channel === undefined) return refuse('NOT_FOUND', 'the channel is not declared')
  if (group !== undefined && !channel.groups.has(group))
    return refuse('NOT_FOUND', `the group ${group} is not declared`)
  if (body.byteLength > capabilities.bodyBytesMax) {
    return refuse('BODY_TOO_LARGE', `the body has ${body.byteLength} bytes, the limit is ${capabilities.bodyBytesMax}`)
  }
  if (key !== undefined && key.length * bytesPerUnit > keyBytesMax && utf8.encode(key).byteLength > keyBytesMax) {
    return refuse('INVALID_ARGUMENT', `the key is longer than ${keyBytesMax} bytes`)
  }
  if (headerBytes(record) > capabilities.headerBytesMax) {
    return refuse('INVALID_ARGUMENT', `the headers have more than ${capabilities.headerBytesMax} bytes`)
  }
  if (!Number.isInteger(priority) || priority < 0 || priority >= capabilities.priorityLevels) {
    return refuse('INVALID_ARGUMENT', `priority ${priority} is not within 0 to ${capabilities.priorityLevels - 1}`)
  }
  return undefined
}

/** An upper bound where that is within the limit, which spares encoding; the exact size elsewhere. */
function headerBytes({ headers }: OutgoingRecord): number {
  let units = 0
  for (const name in headers) units += name.length + (headers[name] as string).length
  if (units * bytesPerUnit <= capabilities.headerBytesMax) return units * bytesPerUnit
  return utf8.encode(Object.entries(headers).flat().join('')).byteLength
}
