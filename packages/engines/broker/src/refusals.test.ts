import type { OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { promised } from './features.ts'
import { BatchWriter } from './protocol/publishing.ts'
import { Writer } from './protocol/writer.ts'
import { refusalOf, refusalOfAll } from './refusals.ts'

const limits = { ...promised, bodyBytesMax: 1_024, headerBytesMax: 100 }
const record = (wish: Partial<OutgoingRecord>): OutgoingRecord => ({
  ...{ id: '1', channel: 'c', headers: {}, body: new Uint8Array(0) },
  ...wish,
})
const codeOf = (refusal: ReturnType<typeof refusalOf>) => (refusal?.ok === false ? refusal.error.code : 'sent')

describe('a record', () => {
  it.each<[string, Partial<OutgoingRecord>, string]>([
    ['a body at the limit', { body: new Uint8Array(1_024) }, 'sent'],
    ['a body over it', { body: new Uint8Array(1_025) }, 'BODY_TOO_LARGE'],
    ['headers at the limit', { headers: { a: 'x'.repeat(99) } }, 'sent'],
    ['headers over it', { headers: { a: 'x'.repeat(100) } }, 'BODY_TOO_LARGE'],
    ['headers over it by their bytes alone', { headers: { a: 'é'.repeat(50) } }, 'BODY_TOO_LARGE'],
    ['an endless id', { id: 'x'.repeat(65_536) }, 'INVALID_ARGUMENT'],
    ['an endless key', { key: 'x'.repeat(65_536) }, 'INVALID_ARGUMENT'],
  ])('with %s is judged before it is sent', (_, wish, code) => {
    expect(codeOf(refusalOf(record(wish), limits))).toBe(code)
  })
})

describe('records that are one step', () => {
  const mib = 1024 * 1024
  const roomy = { ...limits, headerBytesMax: 32 * 1024 }

  it('have their bodies bounded together', () => {
    const half = record({ body: new Uint8Array(600) })
    expect([codeOf(refusalOfAll([half], roomy)), codeOf(refusalOfAll([half, half], roomy))]).toEqual([
      'sent',
      'BODY_TOO_LARGE',
    ])
  })

  it('fit into a message, whatever they are made of', () => {
    const each = record({
      headers: { a: 'é'.repeat(10_000), ...Object.fromEntries(Array.from({ length: 500 }, (_, at) => [`${at}`, ''])) },
    })
    const records: OutgoingRecord[] = []
    while (refusalOfAll([...records, each], roomy) === undefined)
      records.push({ ...each, headers: { ...each.headers } })
    const writer = new Writer()
    const batch = new BatchWriter(writer)
    batch.begin()
    for (const one of records) batch.add(one)
    expect(records.length).toBeGreaterThan(1)
    // Beside what is packed before them.
    expect(writer.length + 128 * 1024).toBeLessThan(2 * limits.bodyBytesMax + mib)
  })
})
