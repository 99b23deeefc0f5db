import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  browseQuery,
  channelOf,
  checkAtOf,
  groupOf,
  movesOf,
  nameOf,
  namesOf,
  patternGroupSpec,
  postponementOf,
  preparedQuery,
  publishBeginning,
  seekOf,
  sessionBeginning,
  snapshotOf,
  subscribeBeginning,
  topologyOf,
  versionsOf,
  watchBeginning,
} from './heads.ts'

const channel = { name: 'c', kind: 'log', keyed: true } as const
const group = { channel: 'c', group: 'g', from: 'next' } as const

/** As a client sends it, and as it is read. */
const readings = {
  versionsOf: [{ version: 3, versions: [3, 2, 'x', null] }, [3, 2]],
  sessionBeginning: [
    { session: 's', resume: true, instance: 'i', sessionMs: 7, abandoned: 'a' },
    { session: 's', resume: true, instance: 'i', sessionMs: 7, abandoned: 'a' },
  ],
  publishBeginning: [
    { session: 's', answered: 3, afresh: true },
    { session: 's', answered: 3, afresh: true },
  ],
  subscribeBeginning: [
    { session: 's', subscription: 1, channel: 'c', group: 'g', member: 'm', credit: 5, holding: [[1, 2]] },
    { session: 's', subscription: 1, channel: 'c', group: 'g', member: 'm', credit: 5, holding: [[1, 2]] },
  ],
  watchBeginning: [
    { pattern: 'a.*', watch: 4, isOver: false },
    { pattern: 'a.*', watch: 4, isOver: false },
  ],
  topologyOf: [
    { channels: [{ ...channel, retention: { forMs: 9 }, priorities: 3 }], groups: [{ ...group, lifetime: 'durable' }] },
    { channels: [{ ...channel, retention: { forMs: 9 }, priorities: 3 }], groups: [{ ...group, lifetime: 'durable' }] },
  ],
  patternGroupSpec: [
    { pattern: 'a.*', group: 'g', from: 'earliest', lifetime: 'temporary' },
    { pattern: 'a.*', group: 'g', from: 'earliest', lifetime: 'temporary' },
  ],
  channelOf: [{ channel: 'c' }, 'c'],
  groupOf: [
    { channel: 'c', group: 'g' },
    { channel: 'c', group: 'g' },
  ],
  nameOf: [
    { channel: 'c', id: 'i' },
    { channel: 'c', id: 'i' },
  ],
  namesOf: [{ names: [{ channel: 'c', id: 'i' }] }, [{ channel: 'c', id: 'i' }]],
  browseQuery: [
    { channel: 'c', after: 'p', limit: 5, match: { id: 'i', key: 'k', correlationId: 'x', sinceMs: 1, untilMs: 2 } },
    { channel: 'c', after: 'p', limit: 5, match: { id: 'i', key: 'k', correlationId: 'x', sinceMs: 1, untilMs: 2 } },
  ],
  seekOf: [
    { ...group, target: { atMs: 5 } },
    { channel: 'c', group: 'g', target: { atMs: 5 } },
  ],
  checkAtOf: [{ checkAtMs: 5 }, 5],
  postponementOf: [{ name: { channel: 'c', id: 'i' } }, { channel: 'c', id: 'i' }],
  preparedQuery: [
    { channel: 'c', limit: 5, after: { id: 'i', checkAtMs: null } },
    { channel: 'c', limit: 5, after: { id: 'i', checkAtMs: Number.POSITIVE_INFINITY } },
  ],
  snapshotOf: [{ name: 'copy' }, 'copy'],
} as const

const readers = {
  versionsOf,
  sessionBeginning,
  publishBeginning,
  subscribeBeginning,
  watchBeginning,
  topologyOf,
  patternGroupSpec,
  channelOf,
  groupOf,
  nameOf,
  namesOf,
  browseQuery,
  seekOf,
  checkAtOf,
  postponementOf,
  preparedQuery,
  snapshotOf,
} as const

type Name = keyof typeof readings

const names = Object.keys(readings) as readonly Name[]

/** Something anywhere within it is something else, or gone. */
function* spoiled(value: unknown, wrong: unknown): Generator<unknown> {
  yield wrong
  if (typeof value !== 'object' || value === null) return
  for (const [name, member] of Object.entries(value)) {
    const { [name]: _, ...rest } = value as Record<string, unknown>
    if (!Array.isArray(value)) yield rest
    for (const other of spoiled(member, wrong))
      yield Array.isArray(value) ? value.with(Number(name), other) : { ...value, [name]: other }
  }
}

describe('what a client begins with', () => {
  it.each(names)('is read as it was meant: %s', (name) => {
    const [sent, read] = readings[name]
    expect(readers[name](JSON.parse(JSON.stringify(sent)))).toEqual(read)
    // What it does not know it passes over.
    expect(readers[name]({ ...sent, colour: 'red' })).toEqual(read)
  })

  it.each(names)('is read or refused as malformed, whatever it is: %s', (name) => {
    const read = (value: unknown): void => {
      try {
        readers[name](JSON.parse(JSON.stringify(value)))
      } catch (thrown) {
        expect(thrown).toMatchObject({ name: 'PosthasteError', code: 'BODY_MALFORMED' })
      }
    }
    const wrong = [...spoiled(readings[name][0], 'x'), ...spoiled(readings[name][0], { toString: 1, length: -1 })]
    for (const value of [...wrong, ...spoiled(readings[name][0], null)]) read(value)
    fc.assert(fc.property(fc.jsonValue(), read))
    fc.assert(fc.property(fc.constantFrom(...spoiled(readings[name][0], 7)), read))
  })

  it('is told what is wrong with it, and where', () => {
    const wrong = { channels: [channel, { ...channel, keyed: 'yes' }], groups: [] }
    expect(() => topologyOf(wrong)).toThrow(/channels\.1\.keyed must be true or false/)
    expect(() => topologyOf(null)).toThrow(/must be an object/)
    expect(() => subscribeBeginning({ ...readings.subscribeBeginning[0], credit: -1 })).toThrow(/credit/)
    expect(() => channelOf(JSON.parse('{"__proto__":{"channel":"c"}}'))).toThrow(/channel must be text/)
  })

  it('takes null for what JSON has no number for', () => {
    expect(checkAtOf({ checkAtMs: null })).toBe(Number.POSITIVE_INFINITY)
    expect(browseQuery({ channel: 'c', limit: null, match: { sinceMs: null, untilMs: null } })).toMatchObject({
      limit: Number.POSITIVE_INFINITY,
      match: { sinceMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY },
    })
  })

  it('says of moves how many records each has, and they are all of them', () => {
    const moves = { channel: 'c', moves: [['1', 2] as const, ['2', 0] as const] }
    expect(movesOf(moves, 2)).toEqual(moves)
    for (const records of [0, 1, 3]) expect(() => movesOf(moves, records)).toThrow(/go together/)
    expect(() =>
      movesOf(
        {
          channel: 'c',
          moves: [
            ['1', 2],
            ['2', -1],
          ],
        },
        1,
      ),
    ).toThrow(/a move/)
  })
})
