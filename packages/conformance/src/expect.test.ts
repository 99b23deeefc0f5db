import { type Delivery, type OutgoingRecord, PosthasteError, succeeded } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { expectAtLeast, expectKeyOrder, expectRefused, expectRejection, expectSame, expectSameSet } from './expect.ts'

const record = (id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord => ({
  id,
  channel: 'c',
  headers: { type: 't' },
  body: Uint8Array.of(1, 2),
  ...wish,
})
const received = (...records: readonly OutgoingRecord[]): readonly Delivery[] =>
  records.map((each, at) => ({ tag: at, record: each, attempt: 1, storedAtMs: 0, position: String(at) }))

const [a, b, c] = [record('a', { key: 'k' }), record('b', { key: 'k' }), record('c')]

describe('comparing records', () => {
  it('finds a record that is missing, one too many, and one in the wrong place', () => {
    expect(() => expectSame(received(a, b), [a, b])).not.toThrow()
    for (const wrong of [[a], [a, b, c], [b, a], [a, a]]) expect(() => expectSame(received(...wrong), [a, b])).toThrow()
  })

  it('finds any change of what was sent', () => {
    const changes: readonly Partial<OutgoingRecord>[] = [
      { key: 'l' },
      { key: undefined },
      { headers: { type: 'T' } },
      { headers: { type: 't', more: '' } },
      { body: Uint8Array.of(1, 3) },
      { body: Uint8Array.of(1, 2, 0) },
      { expiresAtMs: 5 },
    ]
    for (const change of changes) expect(() => expectSame(received({ ...a, ...change }), [a])).toThrow()
  })

  it('takes bodies by their bytes, whatever holds them', () => {
    expect(() => expectSame(received({ ...a, body: Buffer.from([1, 2]) }), [a])).not.toThrow()
  })

  it('compares sets without order, and says what is missing, unexpected and repeated', () => {
    expect(() => expectSameSet(received(b, a), [a, b])).not.toThrow()
    expect(() => expectSameSet(received(a, a, c), [a, b])).toThrow(
      expect.objectContaining({ actual: { missing: ['b'], unexpected: ['c'], repeated: ['a'] } }),
    )
  })

  it('allows repetitions where records come at least once', () => {
    expect(() => expectAtLeast(received(a, b, a), [a, b])).not.toThrow()
    expect(() => expectAtLeast(received(a), [a, b])).toThrow()
    expect(() => expectAtLeast(received(a, b, c), [a, b])).toThrow()
  })

  it('compares order within keys only', () => {
    expect(() => expectKeyOrder(received(c, a, b), [a, b, c])).not.toThrow()
    expect(() => expectKeyOrder(received(b, a, c), [a, b, c])).toThrow()
  })
})

describe('expecting failures', () => {
  it('wants the code that is named', () => {
    const error = new PosthasteError('NOT_FOUND', 'gone')
    expect(() => expectRefused({ ok: false, error }, 'NOT_FOUND')).not.toThrow()
    expect(() => expectRefused({ ok: false, error }, 'CONFLICT')).toThrow()
    expect(() => expectRefused(succeeded, 'NOT_FOUND')).toThrow('it went well')
    expect(() => expectRefused(undefined, 'NOT_FOUND')).toThrow()
    expect(() => expectRefused({ ok: false, error: new Error('plain') as PosthasteError }, 'NOT_FOUND')).toThrow()
  })

  it('wants a rejection, not an exception and not another error', async () => {
    const error = new PosthasteError('NOT_FOUND', 'gone')
    await expect(expectRejection(() => Promise.reject(error), 'NOT_FOUND')).resolves.toBeUndefined()
    await expect(expectRejection(() => Promise.reject(error), 'CONFLICT')).rejects.toThrow('gone')
    await expect(expectRejection(() => Promise.reject(new Error('plain')), 'NOT_FOUND')).rejects.toThrow('plain')
    await expect(expectRejection(async () => 1, 'NOT_FOUND')).rejects.toThrow('it went well')
    const throwing = () => {
      throw error
    }
    await expect(expectRejection(throwing, 'NOT_FOUND')).rejects.toThrow('threw instead of rejecting')
  })
})
