import type { OutgoingRecord } from '@posthaste/contracts'
import { isoTime } from '../../pipeline/ids.ts'

/**
 * A context attribute of the event that a record carries, as an expression sees it: a text, but for `priority`. Undefined
 * where it has none.
 */
export function attributeOf(record: OutgoingRecord, name: string): string | number | undefined {
  switch (name) {
    case 'id':
      return record.id
    case 'specversion':
      return '1.0'
    case 'type':
      return record.headers.type ?? record.channel
    case 'partitionkey':
      return record.key
    case 'priority':
      return record.priority
    case 'deliverytime':
      return timeText(record.dueAtMs)
    case 'expirytime':
      return timeText(record.expiresAtMs)
    default:
      // Objects have more properties than a record has headers: `constructor` is a name that an attribute may have.
      return Object.hasOwn(record.headers, name) ? record.headers[name] : undefined
  }
}

function timeText(atMs: number | undefined): string | undefined {
  return atMs === undefined ? undefined : isoTime(atMs)
}
