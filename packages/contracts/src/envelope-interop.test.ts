import { type CloudEventV1, HTTP, CloudEvent as TheirEvent } from 'cloudevents'
import { describe, expect, it } from 'vitest'
import type { CloudEvent } from './envelope.ts'
import { fromBinary, toBinary } from './envelope-http.ts'
import { fromBatch, fromStructured, toBatch, toStructured } from './envelope-json.ts'

// Against the SDK of the CloudEvents project, in both directions.

const full: CloudEvent = {
  specversion: '1.0',
  id: 'A234-1234',
  source: '/shop/orders',
  type: 'shop.order.created',
  time: '2026-11-21T11:22:33.444Z',
  subject: 'order-7',
  dataschema: 'https://example.com/order.json',
  datacontenttype: 'application/json',
  partitionkey: 'o-7',
  correlationid: 'c-1',
  priority: 3,
  urgent: true,
  data: { orderNo: 'o-7', note: 'grüße 漢字 😀', lines: [{ n: 1 }] },
}
const image: CloudEvent = { ...full, datacontenttype: 'image/png', data: new Uint8Array([137, 80, 78, 71, 0, 255]) }
const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Their event as a plain one, without what they leave undefined and without the base64 they keep beside the bytes. */
function plain(theirs: unknown): Record<string, unknown> {
  const entries = Object.entries(theirs as object).filter(
    ([name, value]) => value !== undefined && name !== 'data_base64',
  )
  return Object.fromEntries(entries)
}

function theirEvent(event: CloudEvent): CloudEventV1<unknown> & { validate(): boolean } {
  return new TheirEvent(event as Partial<CloudEventV1<unknown>>)
}

function only(theirs: CloudEventV1<unknown> | CloudEventV1<unknown>[]): CloudEventV1<unknown> {
  if (Array.isArray(theirs)) throw new Error('one event, not a batch')
  return theirs
}

/** Attributes as a binding that knows text only has them. */
const asText = ({ priority, urgent, ...rest }: CloudEvent): object => ({
  ...rest,
  priority: String(priority),
  urgent: String(urgent),
})

describe('what we write', () => {
  it('is read by them from the JSON format', () => {
    const { contentType, body } = toStructured(full)
    expect(plain(HTTP.toEvent({ headers: { 'content-type': contentType }, body: textOf(body) }))).toEqual(full)
  })

  it('is read by them from the JSON format with binary data', () => {
    const { contentType, body } = toStructured(image)
    const theirs = plain(HTTP.toEvent({ headers: { 'content-type': contentType }, body: textOf(body) }))
    // They hold each byte in 32 bits.
    expect({ ...theirs, data: Uint8Array.from(theirs.data as Uint32Array) }).toEqual(image)
  })

  it('is read by them from binary mode', () => {
    const { headers, body } = toBinary(full)
    expect(plain(HTTP.toEvent({ headers: { ...headers }, body: textOf(body) }))).toEqual(asText(full))
  })

  it('is read by them from binary mode with binary data', () => {
    const { headers, body } = toBinary(image)
    expect(plain(HTTP.toEvent({ headers: { ...headers }, body: Buffer.from(body) }))).toEqual({
      ...asText(image),
      data: Buffer.from(image.data as Uint8Array),
    })
  })

  it('is read by them from a batch', () => {
    const second = { ...full, id: 'B' }
    const { contentType, body } = toBatch([full, second])
    const theirs = HTTP.toEvent({ headers: { 'content-type': contentType }, body: textOf(body) })
    expect((theirs as unknown[]).map(plain)).toEqual([full, second])
  })

  it('is an event by their rules', () => {
    expect(theirEvent(full).validate()).toBe(true)
  })
})

describe('what they write', () => {
  const structured = (event: CloudEvent): [string, Uint8Array] => {
    const { headers, body } = HTTP.structured(theirEvent(event))
    return [String(headers['content-type']), bytesOf(String(body))]
  }

  it('is read by us from the JSON format', () => {
    expect(fromStructured(...structured(full))).toEqual(full)
  })

  it('is read by us from the JSON format with binary data', () => {
    expect(fromStructured(...structured(image))).toEqual(image)
  })

  it('is read by us from binary mode', () => {
    const { headers, body } = HTTP.binary(theirEvent(full))
    expect(fromBinary(toStrings(headers), bytesOf(String(body)))).toEqual(asText(full))
  })

  it('is read by us from binary mode with binary data', () => {
    const { headers, body } = HTTP.binary(theirEvent(image))
    expect(fromBinary(toStrings(headers), body as Uint8Array)).toEqual(asText(image))
  })

  it('is read by us with spaces and percent signs in attributes, which they do not encode', () => {
    const { headers, body } = HTTP.binary(theirEvent({ ...full, subject: '100% of order 7', note: 'say "so"' }))
    expect(fromBinary(toStrings(headers), bytesOf(String(body)))).toMatchObject({
      subject: '100% of order 7',
      note: 'say "so"',
    })
  })

  it('survives a journey through both', () => {
    const ours = fromStructured(...structured(full))
    const { contentType, body } = toBatch([ours])
    const theirs = HTTP.toEvent({
      headers: { 'content-type': contentType },
      body: textOf(body),
    }) as CloudEventV1<unknown>[]
    const back = HTTP.structured(only(theirs[0]!))
    expect(fromStructured(String(back.headers['content-type']), bytesOf(String(back.body)))).toEqual(full)
    expect(fromBatch(contentType, body)).toEqual([full])
  })
})

/** Their headers hold numbers and booleans, which a server would write as text. */
function toStrings(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
