import type { EngineCapabilities, Outcome, OutgoingRecord } from '@posthaste/contracts'
import { failed } from './errors.ts'

/*
 * What a message of the broker's protocol has room for: twice the largest body and a mebibyte. A message that is larger takes the
 * whole stream with it, so what would make it so is refused alone.
 */

/** Id, channel, group and key together, in UTF-16 units: far above what any broker takes. */
const nameUnitsMax = 64 * 1024
/** What the text of records that are one step may take beside their bodies, above the largest body. */
const textBytesSpare = 512 * 1024
/** An upper bound of what a record takes beside its text and its body. */
const fixedBytes = 96

/** What the broker would have to read first to refuse it. Hot path. */
export function refusalOf(record: OutgoingRecord, capabilities: EngineCapabilities): Outcome | undefined {
  const { id, channel, group, key, headers, body } = record
  const { bodyBytesMax, headerBytesMax } = capabilities
  if (body.byteLength > bodyBytesMax)
    return tooLarge(`record ${id}: its body has ${body.byteLength} bytes, the limit is ${bodyBytesMax}`)
  if (id.length + channel.length + (group?.length ?? 0) + (key?.length ?? 0) > nameUnitsMax)
    return failed('INVALID_ARGUMENT', `a record’s id, channel, group and key have over ${nameUnitsMax} characters`)
  let units = 0
  for (const name in headers) units += name.length + headers[name]!.length
  // As bytes, that is three times as many at most.
  if (units * 3 <= headerBytesMax || headerBytes(record) <= headerBytesMax) return undefined
  return tooLarge(`record ${id}: its headers have over ${headerBytesMax} bytes`)
}

/** The same of records that are published as one step, and so in one message. */
export function refusalOfAll(
  records: readonly OutgoingRecord[],
  capabilities: EngineCapabilities,
): Outcome | undefined {
  let [bytes, text] = [0, 0]
  for (const record of records) {
    const refusal = refusalOf(record, capabilities)
    if (refusal !== undefined) return refusal
    const { id, channel, group = '', key = '', body } = record
    bytes += body.byteLength
    for (const each of [id, channel, group, key]) text += Buffer.byteLength(each)
    text += fixedBytes + headerBytes(record)
  }
  const { bodyBytesMax } = capabilities
  if (bytes > bodyBytesMax) return tooLarge(`an acknowledgement publishes ${bytes} bytes, the limit is ${bodyBytesMax}`)
  const textBytesMax = bodyBytesMax + textBytesSpare
  if (text > textBytesMax)
    return tooLarge(`an acknowledgement publishes ${text} bytes of headers and names, the limit is ${textBytesMax}`)
  return undefined
}

function headerBytes({ headers }: OutgoingRecord): number {
  let bytes = 0
  for (const name in headers) bytes += Buffer.byteLength(name) + Buffer.byteLength(headers[name]!)
  return bytes
}

function tooLarge(message: string): Outcome {
  return failed('BODY_TOO_LARGE', message)
}
