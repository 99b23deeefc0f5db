import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { composer } from '../commands/publish/compose.ts'
import { bodyJson, bodyText, recordJson, recordText } from './records.ts'

const nothingSaid = {
  ...{ key: undefined, id: undefined, header: [], contentType: undefined },
  ...{ dueAtMs: undefined, expiresAtMs: undefined, priority: undefined },
}
const compose = composer({ channel: 'facts', said: nothingSaid, nowMs: 0, newId: () => 'new' })
const base = { type: 'facts', source: '/s', time: '1970-01-01T00:00:00.000Z' }

describe('a record in JSON', () => {
  it('is the same record when it is published again, whatever its body is', () => {
    const types = fc.constantFrom('application/json', 'text/plain', 'application/octet-stream', 'application/x+json')
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), types, fc.option(fc.json()), (bytes, datacontenttype, json) => {
        const body = json === null ? bytes : Buffer.from(JSON.stringify(JSON.parse(json)))
        const record = { id: 'm1', channel: 'facts', key: 'k', headers: { ...base, datacontenttype }, body }
        const line = JSON.stringify(recordJson({ position: '1', storedAtMs: 0, record }))
        const again = compose.record(line)
        expect({ ...again, body: undefined }).toMatchObject({ id: 'm1', key: 'k', headers: record.headers })
        expect(bodyJson(again.body, record.headers)).toEqual(bodyJson(body, record.headers))
      }),
    )
  })

  it('tells data from bytes', () => {
    const json = Buffer.from('{"a":1}')
    expect(bodyJson(json, {})).toEqual({ data: { a: 1 } })
    expect(bodyJson(json, { datacontenttype: 'application/vnd.x+json; charset=utf-8' })).toEqual({ data: { a: 1 } })
    expect(bodyJson(json, { datacontenttype: 'text/plain' })).toEqual({ data: '{"a":1}' })
    expect(bodyJson(json, { datacontenttype: 'application/avro' })).toEqual({ dataBase64: 'eyJhIjoxfQ==' })
    expect(bodyJson(Buffer.from([0xff]), {})).toEqual({ dataBase64: '/w==' })
    expect(bodyJson(Buffer.from('{'), {})).toEqual({ dataBase64: 'ew==' })
    expect(bodyJson(new Uint8Array(), {})).toEqual({})
  })

  it('has times that people can read, and nothing that is not there', () => {
    const record = { id: 'm', channel: 'c', headers: {}, body: Buffer.from('1'), dueAtMs: 1_000, expiresAtMs: 2_000 }
    expect(recordJson({ position: 'p', storedAtMs: 0, record })).toEqual({
      ...{ channel: 'c', position: 'p', storedAt: '1970-01-01T00:00:00.000Z', id: 'm' },
      ...{ dueAt: '1970-01-01T00:00:01.000Z', expiresAt: '1970-01-01T00:00:02.000Z', headers: {}, data: 1 },
    })
  })
})

describe('a record for people', () => {
  it('is one line, whatever it says', () => {
    const headers = { datacontenttype: 'text/plain' }
    const record = { id: 'm\u001b[2J', channel: 'c', key: 'k\n', headers, body: Buffer.from('a\nb') }
    expect(recordText({ storedAtMs: 0, record }, (text) => text)).toBe('1970-01-01T00:00:00.000Z  m  k   a b\n')
  })

  it('says how many bytes there are that say nothing', () => {
    expect(bodyText(Buffer.from([0, 1]), { datacontenttype: 'image/png' })).toBe('(2 bytes of image/png)')
    expect(bodyText(new Uint8Array(), {})).toBe('')
  })
})
