import type { OutgoingRecord } from '@posthaste/contracts'
import { addressed, type Outbound } from './lane.ts'
import type { NoteMessage } from './note-book.ts'
import { bufferOf, decode, encode, type Received } from './record-codec.ts'

/*
 * What stands in the control queue of a key range. A *hello* tells whoever reads the range that somebody else is in line for
 * it, and reads so many others. A *fence* is what a reader sends itself to know that all before it has come. The rest are notes.
 */

/** A message of a control queue. */
export type ControlMessage =
  | { readonly kind: 'hello'; readonly deliveryTag: number; readonly member: string; readonly ranges: number }
  | { readonly kind: 'fence'; readonly deliveryTag: number; readonly id: string }
  | ({ readonly kind: 'note' } & NoteMessage)

const kindHeader = 'posthaste-control'
const idHeader = 'posthaste-fence'
const memberHeader = 'posthaste-member'
const rangesHeader = 'posthaste-ranges'
const nameHeader = 'posthaste-note'
const versionHeader = 'posthaste-note-version'
const orderHeader = 'posthaste-note-order'

/** Reads one; undefined for what no engine wrote. */
export function readControl(message: Received, channel: string): ControlMessage | undefined {
  const { headers = {}, deliveryTag } = message
  const kind = headers[kindHeader]
  if (kind === 'hello')
    return { kind, deliveryTag, member: String(headers[memberHeader]), ranges: Number(headers[rangesHeader]) }
  if (kind === 'fence') return { kind, deliveryTag, id: String(headers[idHeader]) }
  if (kind !== 'note') return undefined
  const { record } = decode(message, channel)
  const [version, order] = [Number(headers[versionHeader]), Number(headers[orderHeader])]
  return { kind, name: String(headers[nameHeader]), version, order, deliveryTag, record }
}

/** A member is in line, and reads so many ranges. */
export function hello(
  queue: string,
  { member, ranges }: { readonly member: string; readonly ranges: number },
): Outbound {
  return signal(queue, { [kindHeader]: 'hello', [memberHeader]: member, [rangesHeader]: ranges })
}

/** All that was in the queue before is here, once it is. */
export function fence(queue: string, id: string): Outbound {
  return signal(queue, { [kindHeader]: 'fence', [idHeader]: id })
}

function signal(queue: string, headers: Readonly<Record<string, string | number>>): Outbound {
  const envelope = { durable: true, headers, exchange: '', routingKey: queue, mandatory: true }
  return { envelope, body: Buffer.alloc(0) }
}

/** One version of a note. */
export function noteMessage(
  queue: string,
  note: { readonly name: string; readonly version: number; readonly order: number; readonly record: OutgoingRecord },
  stamp: string,
): Outbound {
  const { name, version, order, record } = note
  const envelope = addressed(encode(record, stamp), { exchange: '', routingKey: queue, mandatory: true })
  const own = { [kindHeader]: 'note', [nameHeader]: name, [versionHeader]: version, [orderHeader]: order }
  envelope.headers = { ...envelope.headers, ...own }
  return { envelope, body: bufferOf(record.body) }
}
