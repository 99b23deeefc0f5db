import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { manualClock } from 'posthaste/testing'
import { beforeEach, describe, expect, it } from 'vitest'
import { record } from '../test/records.ts'
import { capabilities } from './features.ts'
import { Publisher } from './publisher.ts'
import type { Scheduler } from './scheduler.ts'
import { wideMax } from './storage/keys.ts'
import type { Registry } from './topology.ts'

const nowMs = 1_000_000

let appended: [string, string][]
let scheduled: [string, string, number][]
let publisher: Publisher

/** Nothing but what a publisher asks of the engine's other parts. */
beforeEach(() => {
  appended = []
  scheduled = []
  const log = (name: string) => ({ name, append: ({ id }: OutgoingRecord) => void appended.push([name, id]) })
  const channel = (name: string) => ({
    inlet: log(name),
    groups: new Map([['g', { inlet: log(`${name}@g`) }]]),
  })
  const registry = { channels: new Map(['c', 'd'].map((name) => [name, channel(name)])) } as unknown as Registry
  const scheduler = {
    add: (target: { name: string }, { id }: OutgoingRecord, dueAtMs: number) =>
      void scheduled.push([target.name, id, dueAtMs]),
  } as unknown as Scheduler
  publisher = new Publisher(registry, scheduler, manualClock(nowMs))
})

function codesOf(...records: OutgoingRecord[]): string[] {
  return publisher.takeAll(records).map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))
}

const { bodyBytesMax, headerBytesMax } = capabilities
const header = (bytes: number, letter = 'x') => ({ n: letter.repeat((bytes - 1) / Buffer.byteLength(letter)) })
const headers = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, '']))

describe('a publisher', () => {
  it('puts each record into the log of its channel, or of its group alone, in the order they came', () => {
    const batch = [record('1'), record('2', { channel: 'd' }), record('3', { group: 'g' }), record('4')]
    expect(codesOf(...batch)).toEqual(['ok', 'ok', 'ok', 'ok'])
    expect(appended).toEqual([
      ['c', '1'],
      ['d', '2'],
      ['c@g', '3'],
      ['c', '4'],
    ])
  })

  it('schedules what is due later, for the log where it belongs, and appends what is due by now', () => {
    const batch = [
      record('later', { dueAtMs: nowMs + 1 }),
      record('now', { dueAtMs: nowMs }),
      record('long ago', { dueAtMs: -1 }),
      record('a fraction', { dueAtMs: nowMs + 0.25, group: 'g' }),
    ]
    expect(codesOf(...batch)).toEqual(['ok', 'ok', 'ok', 'ok'])
    expect(scheduled).toEqual([
      ['c', 'later', nowMs + 1],
      ['c@g', 'a fraction', nowMs + 0.25],
    ])
    expect(appended.map(([, id]) => id)).toEqual(['now', 'long ago'])
  })

  const edges: [string, Partial<OutgoingRecord>, string][] = [
    ['an id of 1,024 bytes', { id: 'é'.repeat(512) }, 'ok'],
    ['an id of 1,025 bytes', { id: `${'é'.repeat(512)}x` }, 'INVALID_ARGUMENT'],
    ['an id of a million letters', { id: 'x'.repeat(1_000_000) }, 'INVALID_ARGUMENT'],
    ['no id', { id: '' }, 'INVALID_ARGUMENT'],
    ['a key of 1,024 bytes', { key: '💌'.repeat(256) }, 'ok'],
    ['a key of 1,025 bytes', { key: `${'💌'.repeat(256)}x` }, 'INVALID_ARGUMENT'],
    ['a body at the limit', { body: new Uint8Array(bodyBytesMax) }, 'ok'],
    ['a body over the limit', { body: new Uint8Array(bodyBytesMax + 1) }, 'BODY_TOO_LARGE'],
    ['headers at the limit', { headers: header(headerBytesMax) }, 'ok'],
    ['headers over the limit', { headers: header(headerBytesMax + 1) }, 'BODY_TOO_LARGE'],
    ['headers over the limit by their bytes alone', { headers: header(headerBytesMax + 1, 'é') }, 'BODY_TOO_LARGE'],
    ['255 headers', { headers: headers(255) }, 'ok'],
    ['256 headers', { headers: headers(256) }, 'BODY_TOO_LARGE'],
    ['the latest due time there is', { dueAtMs: wideMax }, 'ok'],
    ['a due time beyond it', { dueAtMs: wideMax + 1 }, 'INVALID_ARGUMENT'],
    ['a due time that is none', { dueAtMs: Number.NaN }, 'INVALID_ARGUMENT'],
    ['a channel that nobody declared', { channel: 'e' }, 'NOT_FOUND'],
    ['a group that nobody declared', { group: 'h' }, 'NOT_FOUND'],
  ]

  it.each(edges)('answers a record with %s', (_, wish, code) => {
    expect(codesOf(record('r', wish))).toEqual([code])
    expect(appended.length + scheduled.length).toBe(code === 'ok' ? 1 : 0)
  })

  it('names the record, the limit and what was found', () => {
    const [large, lost] = publisher.takeAll([
      record('large', { body: new Uint8Array(bodyBytesMax + 1) }),
      record('lost', { channel: 'e', group: 'h' }),
    ])
    expect(large).toMatchObject({ error: { message: expect.stringMatching(/large.*67108865.*67108864/) } })
    expect(lost).toMatchObject({ error: { message: expect.stringMatching(/lost.*'e'.*'h'/) } })
  })

  const some = fc.array(
    fc.constantFrom<[Partial<OutgoingRecord>, boolean]>(
      [{}, true],
      [{ group: 'g' }, true],
      [{ dueAtMs: nowMs + 5 }, true],
      [{ key: 'k'.repeat(2_000) }, false],
      [{ channel: 'e' }, false],
      [{ group: 'h' }, false],
    ),
    { maxLength: 8 },
  )

  it('takes of a batch exactly what it confirms', () => {
    fc.assert(
      fc.property(some, (batch) => {
        appended = []
        scheduled = []
        const outcomes = publisher.takeAll(batch.map(([wish], index) => record(`${index}`, wish)))
        expect(outcomes.map(({ ok }) => ok)).toEqual(batch.map(([, isGood]) => isGood))
        const taken = [...appended, ...scheduled].map(([, id]) => Number(id)).sort()
        expect(taken).toEqual(batch.flatMap(([, isGood], index) => (isGood ? [index] : [])))
      }),
    )
  })

  it('takes all records of a settlement or none, and says why by the first that it refuses', () => {
    fc.assert(
      fc.property(some, (batch) => {
        appended = []
        scheduled = []
        const records = batch.map(([wish], index) => record(`record-${index}`, wish))
        const outcome = publisher.takeAllOrNone(records)
        const refused = batch.findIndex(([, isGood]) => !isGood)
        expect(appended.length + scheduled.length).toBe(refused < 0 ? batch.length : 0)
        if (refused < 0) expect(outcome).toEqual({ ok: true })
        else expect(outcome).toMatchObject({ error: { message: expect.stringContaining(`record-${refused}`) } })
      }),
    )
  })
})
