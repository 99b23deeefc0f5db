import type { BrowsedRecord, Headers, OutgoingRecord } from '@posthaste/contracts'
import { oneLine } from './table.ts'

/** A time as RFC 3339 text in UTC. */
export function timeText(atMs: number): string {
  return Number.isFinite(atMs) && Math.abs(atMs) <= 8.64e15 ? new Date(atMs).toISOString() : ''
}

/** What a body says: data where its headers and its bytes agree that it is JSON, text, or else base64. */
export type BodyJson = { readonly data?: unknown } | { readonly dataBase64: string }

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A body in JSON, so that whoever reads it can tell data from bytes. */
export function bodyJson(body: Uint8Array, { datacontenttype: type }: Headers): BodyJson {
  if (body.length === 0) return {}
  try {
    const text = strictUtf8.decode(body)
    if (isJsonType(type)) return { data: JSON.parse(text) as unknown }
    if (type?.startsWith('text/') === true) return { data: text }
  } catch {
    // It is not what it says it is.
  }
  return { dataBase64: Buffer.from(body).toString('base64') }
}

function isJsonType(type: string | undefined): boolean {
  return type === undefined || /^[^;]*[/+]json\s*(;|$)/i.test(type)
}

/** A body on one line. */
export function bodyText(body: Uint8Array, headers: Headers): string {
  const said = bodyJson(body, headers)
  if ('dataBase64' in said) return `(${body.length} bytes of ${headers.datacontenttype ?? 'unknown type'})`
  if (said.data === undefined) return ''
  const isText = typeof said.data === 'string' && headers.datacontenttype?.startsWith('text/') === true
  return oneLine(isText ? String(said.data) : JSON.stringify(said.data))
}

/** A record, as `tail --json` prints it and `publish --records` takes it. */
export function recordJson(found: Pick<BrowsedRecord, 'position' | 'storedAtMs' | 'record'>): Record<string, unknown> {
  const { position, storedAtMs, record } = found
  const { id, channel, key, headers, body, dueAtMs, expiresAtMs, priority, group } = record
  return {
    channel,
    position,
    storedAt: timeText(storedAtMs),
    id,
    ...optional({ key, group, priority }),
    ...(dueAtMs !== undefined && { dueAt: timeText(dueAtMs) }),
    ...(expiresAtMs !== undefined && { expiresAt: timeText(expiresAtMs) }),
    headers,
    ...bodyJson(body, headers),
  }
}

/** A record on one line, for people. */
export function recordText(
  found: { storedAtMs: number; record: OutgoingRecord },
  dim: (text: string) => string,
): string {
  const { storedAtMs, record } = found
  const { id, key, headers, body } = record
  const place = [timeText(storedAtMs), oneLine(id), ...(key === undefined ? [] : [oneLine(key)])].join('  ')
  return `${dim(place)}  ${bodyText(body, headers)}\n`
}

/** Without what is not there. */
export function optional(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
