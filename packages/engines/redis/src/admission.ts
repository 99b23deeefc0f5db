import { type ErrorCode, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { capabilitiesWith, headersMax, keyBytesMax } from './features.ts'

const { bodyBytesMax, headerBytesMax } = capabilitiesWith('none')

/** UTF-16 code units become at most three bytes each. */
const bytesPerUnit = 3

/** Why a record is not even sent; undefined when it is. The server says whether its channel and group are there. */
export function refusal(record: OutgoingRecord): PosthasteError | undefined {
  const { key, body, headers, priority = 0 } = record
  if (body.byteLength > bodyBytesMax)
    return refuse(record, 'BODY_TOO_LARGE', `the body has ${body.byteLength} bytes, the limit is ${bodyBytesMax}`)
  if (key !== undefined && key.length * bytesPerUnit > keyBytesMax && Buffer.byteLength(key) > keyBytesMax)
    return refuse(record, 'INVALID_ARGUMENT', `the key is longer than ${keyBytesMax} bytes`)
  if (!Number.isInteger(priority) || priority < 0)
    return refuse(record, 'INVALID_ARGUMENT', `priority ${priority} is not 0 or a whole number above`)
  if (admitted.has(headers)) return undefined
  const mistake = headerMistake(record)
  if (mistake !== undefined) return refuse(record, 'INVALID_ARGUMENT', mistake)
  admitted.add(headers)
  return undefined
}

/** Headers that were found to be within the limits: messages of one contract often share one object of them. */
const admitted = new WeakSet<OutgoingRecord['headers']>()

function headerMistake({ headers }: OutgoingRecord): string | undefined {
  let count = 0
  let bytes = 0
  for (const name in headers) {
    count += 1
    bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name] as string)
  }
  if (bytes > headerBytesMax) return `the headers have ${bytes} bytes, the limit is ${headerBytesMax}`
  return count > headersMax ? `there are ${count} headers, the limit is ${headersMax}` : undefined
}

function refuse({ id, channel }: OutgoingRecord, code: ErrorCode, what: string): PosthasteError {
  return new PosthasteError(code, `record ${id} for ${channel}: ${what}`)
}
