import { describe, expect, it } from 'vitest'
import type { Cursor } from '../log/cursor.ts'
import { Entry, isBefore } from './entry.ts'
import { KeyGate } from './key-gate.ts'

const source = { cursor: {} as Cursor, turn: 0, rank: 0, entries: new Map(), position: 0 }
const entry = (offset: number, order = offset) => new Entry(source, { offset, order, key: 'k' })

describe('KeyGate', () => {
  it('is open until a key is closed, and again when its head is settled', () => {
    const gate = new KeyGate<string>()
    const [head, later] = [entry(1), entry(2)]
    expect(gate.open).toBe(true)
    gate.close('k', head)
    expect([gate.open, gate.isClosed('k', head), gate.isClosed('k', later), gate.isClosed('other', later)]).toEqual([
      false,
      false,
      true,
      false,
    ])
    gate.enqueue('k', later)
    expect(gate.waiting).toBe(1)
    expect(gate.reopen('k', head)).toEqual([later])
    expect([gate.open, gate.waiting]).toEqual([true, 0])
  })

  it('holds back later records only, in the order of the group and not of the log', () => {
    const gate = new KeyGate<string>()
    gate.close('k', entry(5))
    expect(gate.isClosed('k', entry(4))).toBe(false)
    expect(gate.isClosed('k', entry(0, 5.5))).toBe(true)
    expect(gate.isClosed('k', entry(9, 4.5))).toBe(false)
  })

  it('lets the heads of a key go one after the other, however they came', () => {
    const gate = new KeyGate<string>()
    const [first, second, third, later] = [entry(1), entry(2), entry(3), entry(4)]
    for (const head of [third, first, second, first]) gate.close('k', head)
    const free = () => [first, second, third].filter((head) => !gate.isClosed('k', head))
    expect(free()).toEqual([first])
    gate.enqueue('k', later)
    expect(gate.reopen('k', first)).toEqual([later])
    gate.enqueue('k', later)
    expect([first, second, third].filter((head) => head !== first && !gate.isClosed('k', head))).toEqual([second])
    gate.reopen('k', second)
    expect(gate.isClosed('k', third)).toBe(false)
    expect(gate.reopen('k', third)).toEqual([])
    expect(gate.open).toBe(true)
  })

  it('remembers who has a key in hand only where members share the group', () => {
    const gate = new KeyGate<string>()
    gate.take('k', 'a')
    expect(gate.ownerOf('k')).toBeUndefined()
    gate.share([
      { key: 'k', member: 'a' },
      { key: 'k', member: 'a' },
    ])
    gate.share([{ key: 'k', member: 'b' }])
    expect(gate.ownerOf('k')).toBe('a')
    gate.putBack('k')
    expect(gate.ownerOf('k')).toBe('a')
    gate.putBack('k')
    expect(gate.ownerOf('k')).toBeUndefined()
  })

  it('frees what waits for a member when that can take more, or has put the key back', () => {
    const gate = new KeyGate<string>()
    gate.share([])
    gate.take('k', 'a')
    const [one, two] = [entry(1), entry(2)]
    gate.enqueue('k', one)
    expect(gate.waiting).toBe(1)
    expect(gate.feed('b')).toEqual([])
    expect(gate.feed('a')).toEqual([one])
    expect(gate.feed('a')).toEqual([])
    gate.enqueue('k', two)
    expect(gate.putBack('k')).toEqual([two])
    expect([gate.waiting, gate.feed('a')]).toEqual([0, []])
  })
})

describe('the order of entries', () => {
  it('is by place among all that the group reads, and by offset where that is the same', () => {
    const sorted = [entry(3), entry(1, 2.5), entry(0, 2.5), entry(2)].sort((a, b) => (isBefore(a, b) ? -1 : 1))
    expect(sorted.map(({ order, offset }) => [order, offset])).toEqual([
      [2, 2],
      [2.5, 0],
      [2.5, 1],
      [3, 3],
    ])
  })
})
