import { type Delivery, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordOf } from '../../../test/bus/rig.ts'
import { headerBytes } from '../publishing/attributes.ts'
import { composeDeadLetter, deadLetterChannel, parseDeadLetter, reviveDeadLetter } from './dead-letter.ts'

const atMs = Date.parse('2026-11-21T10:00:00.000Z')
const issues = [
  { path: 'a.0', message: 'is missing' },
  { path: '', message: 'is bad' },
]

function deliveryOf(record: Delivery['record'], attempt = 6): Delivery {
  return { tag: 1, attempt, storedAtMs: atMs - 1_000, position: '7', record }
}

const dead = (record: Delivery['record'], error: PosthasteError, headerBytesMax = 20_000) =>
  composeDeadLetter(deliveryOf(record), {
    error,
    group: 'points',
    channel: deadLetterChannel(record.channel, 'points').name,
    atMs,
    headerBytesMax,
  })

describe('a dead letter', () => {
  it('keeps id, key, headers and every byte of the body, and tells what happened beside them', () => {
    const anyRecord = fc.record({
      id: fc.uuid(),
      key: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      body: fc.uint8Array(),
      headers: fc.dictionary(fc.stringMatching(/^[a-z0-9]{1,20}$/), fc.string()),
    })
    fc.assert(
      fc.property(anyRecord, (given) => {
        const record = recordOf(given)
        const letter = dead(record, new PosthasteError('PAYLOAD_INVALID', 'does not fit', { issues }))
        expect(letter).toMatchObject({ id: record.id, key: record.key, channel: 'posthaste.dead.points.shop.noted' })
        expect(letter.body).toBe(record.body)
        expect(letter.headers).toEqual({
          ...record.headers,
          dlcode: 'PAYLOAD_INVALID',
          dlmessage: 'does not fit',
          dlattempts: '6',
          dlgroup: 'points',
          dlchannel: 'shop.noted',
          dltime: '2026-11-21T10:00:00.000Z',
          dlissues: JSON.stringify(issues),
        })
        expect(reviveDeadLetter(letter, { channel: record.channel, group: 'points' })).toEqual({
          ...record,
          group: 'points',
        })
      }),
    )
  })

  it('goes back with the priority that it had', () => {
    const back = (record: Delivery['record']) =>
      reviveDeadLetter(dead(record, new PosthasteError('HANDLER_REJECTED', 'no')), { channel: 'c', group: 'points' })
    const urgent = recordOf({ priority: 2 })
    expect(back(urgent)).toMatchObject({ priority: 2, headers: urgent.headers })
    expect(back(recordOf({ priority: 0 }))).not.toHaveProperty('priority')
  })

  it('is read as it was written', () => {
    const record = recordOf({ id: 'x', key: 'k' })
    const letter = dead(record, new PosthasteError('PAYLOAD_INVALID', 'does not fit', { issues }))
    expect(parseDeadLetter({ position: '3', storedAtMs: 1, record: letter })).toEqual({
      position: '3',
      id: 'x',
      key: 'k',
      code: 'PAYLOAD_INVALID',
      reason: 'does not fit',
      attempts: 6,
      deadAtMs: atMs,
      issues,
      data: record.body,
      headers: record.headers,
    })
  })

  it('is shown as far as it goes where others have written it', () => {
    const headers = { dlattempts: 'many', dltime: 'noon', dlissues: '[{"path":1},{"path":"a","message":"b"},null]' }
    const read = parseDeadLetter({ position: '3', storedAtMs: 9, record: recordOf({ headers }) })
    expect(read).toMatchObject({ code: '', reason: '', attempts: 0, deadAtMs: 9, headers: {} })
    expect(read.issues).toEqual([{ path: 'a', message: 'b' }])
    expect(
      parseDeadLetter({ position: '3', storedAtMs: 9, record: recordOf({ headers: { dlissues: '{' } }) }).issues,
    ).toEqual([])
  })

  it('never expires, neither dead nor revived', () => {
    const letter = dead(recordOf({ expiresAtMs: 5, dueAtMs: 3 }), new PosthasteError('MESSAGE_EXPIRED', 'too late'))
    const revived = reviveDeadLetter(letter, { channel: 'shop.noted', group: 'points' })
    for (const record of [letter, revived]) {
      expect(record.expiresAtMs).toBeUndefined()
      expect(record.dueAtMs).toBeUndefined()
    }
  })

  it('tells its reason in one line of bounded length', () => {
    const { dlmessage } = dead(
      recordOf({}),
      new PosthasteError('HANDLER_FAILED', `a\nb\u0000c\ud800${'x'.repeat(2_000)}`),
    ).headers
    expect(dlmessage!.slice(0, 6)).toBe('a b c ')
    expect(dlmessage).toHaveLength(1_024)
  })

  it('names as many issues as there is room for', () => {
    const many = Array.from({ length: 1_000 }, (_, n) => ({ path: `items.${n}`, message: 'ä'.repeat(20) }))
    const { dlissues } = dead(recordOf({}), new PosthasteError('PAYLOAD_INVALID', 'no', { issues: many })).headers
    expect(new TextEncoder().encode(dlissues).length).toBeLessThanOrEqual(8_192)
    expect(JSON.parse(dlissues!)).toEqual(many.slice(0, JSON.parse(dlissues!).length))
  })

  it('says less rather than be too large for the engine', () => {
    const record = recordOf({})
    const error = new PosthasteError('PAYLOAD_INVALID', 'x'.repeat(500), { issues })
    const full = headerBytes(dead(record, error).headers)
    const lessIssues = dead(record, error, full - 1).headers
    expect(lessIssues).toMatchObject({ dlmessage: 'x'.repeat(500) })
    expect(lessIssues).not.toHaveProperty('dlissues')
    expect(dead(record, error, full - 300).headers).toMatchObject({ dlcode: 'PAYLOAD_INVALID', dlmessage: '' })
  })

  it('leaves out what others added where the engine could not store it otherwise', () => {
    const own = { ...recordOf({}).headers, causationid: 'cause' }
    const many = Object.fromEntries(Array.from({ length: 249 }, (_, n) => [`x${n}`, 'x']))
    const long = { note: 'x'.repeat(19_900) }
    for (const extra of [many, long]) {
      const letter = dead(recordOf({ headers: { ...own, ...extra } }), new PosthasteError('HANDLER_FAILED', 'no'))
      expect(letter.headers).toEqual({
        ...own,
        dlcode: 'HANDLER_FAILED',
        dlmessage: 'no',
        dlattempts: '6',
        dlgroup: 'points',
        dlchannel: 'shop.noted',
        dltime: '2026-11-21T10:00:00.000Z',
      })
    }
  })

  it('can be stored by every engine, whatever the headers that it came with', { timeout: 30_000 }, () => {
    const name = fc.oneof(
      fc.constantFrom('type', 'source', 'time', 'correlationid', 'datacontenttype', 'dlcode', 'dlissues'),
      fc.stringMatching(/^[a-z0-9]{1,20}$/),
    )
    const text = fc.string({ unit: 'grapheme', maxLength: 400, size: 'max' })
    const headers = fc.dictionary(name, text, { maxKeys: 300, size: 'max' })
    const error = new PosthasteError('PAYLOAD_INVALID', 'ü'.repeat(2_000), { issues })
    fc.assert(
      fc.property(headers, fc.integer({ min: 120, max: 20_000 }), (given, bytesMax) => {
        const letter = dead(recordOf({ headers: given }), error, bytesMax)
        expect(headerBytes(letter.headers)).toBeLessThanOrEqual(bytesMax)
        expect(Object.keys(letter.headers).length).toBeLessThanOrEqual(255)
        expect(letter.headers).toMatchObject({ dlcode: 'PAYLOAD_INVALID', dlgroup: 'points', dlattempts: '6' })
      }),
      { numRuns: 50 },
    )
  })
})

describe('the channel of dead letters', () => {
  it('is a queue of its own for each group of each channel', () => {
    expect(deadLetterChannel('shop.noted', 'points')).toEqual({
      name: 'posthaste.dead.points.shop.noted',
      kind: 'queue',
      keyed: false,
    })
  })
})
