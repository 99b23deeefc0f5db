import type { OutgoingRecord } from '@posthaste/contracts'
import { malformed, Reader } from './reader.ts'
import { RecordReader, RecordWriter } from './record-codec.ts'
import { Writer } from './writer.ts'

/*
 * Everything that is asked for and answered: one message there, one or more back, each a JSON value and records that it
 * speaks of.
 */

/** A JSON value with the records it speaks of. */
export interface Parcel {
  readonly head: unknown
  readonly records: readonly OutgoingRecord[]
}

/** A parcel as bytes: `headBytes | head | records …`. */
export function packParcel(head: unknown, records: readonly OutgoingRecord[] = []): Uint8Array {
  const writer = new Writer()
  writer.sizedText(JSON.stringify(head))
  const each = new RecordWriter(writer, '')
  for (const record of records) each.write(record)
  return writer.take()
}

/** @throws BODY_MALFORMED */
export function readParcel(message: Uint8Array): Parcel {
  const reader = new Reader(message)
  const head = parsed(reader.sizedText())
  const records: OutgoingRecord[] = []
  const each = new RecordReader(reader, '')
  while (!reader.isAtEnd) records.push(each.read())
  return { head, records }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw malformed('what it begins with is no JSON')
  }
}
