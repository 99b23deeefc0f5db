import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { NoteBook, type NoteMessage } from './note-book.ts'

function record(id: string): OutgoingRecord {
  return { id, channel: 'c', headers: {}, body: new Uint8Array() }
}

function message(
  name: string,
  version: number,
  { deliveryTag, order = version }: { readonly deliveryTag: number; readonly order?: number },
): NoteMessage {
  return { name, version, order, deliveryTag, record: record(`${name}${version}`) }
}

function book() {
  const acked: number[] = []
  return { acked, notes: new NoteBook((tag) => acked.push(tag)) }
}

describe('the notes of a key range', () => {
  it('are the last versions, in the order in which their names were first written', () => {
    const { acked, notes } = book()
    const all = [
      message('b', 1, { deliveryTag: 1, order: 2 }),
      message('a', 4, { deliveryTag: 2, order: 1 }),
      message('b', 2, { deliveryTag: 3, order: 2 }),
      message('a', 3, { deliveryTag: 4, order: 1 }),
    ]
    expect(notes.load(all).map(({ name, record: { id } }) => [name, id])).toEqual([
      ['a', 'a4'],
      ['b', 'b2'],
    ])
    expect(acked.sort()).toEqual([1, 4])
  })

  it('lose an older version once the newer is confirmed, whichever comes first', () => {
    const { acked, notes } = book()
    notes.load([message('a', 1, { deliveryTag: 1 })])
    const { version, order } = notes.next('a')
    expect({ version, order }).toEqual({ version: 2, order: 1 })
    notes.arrived('a', 2, 5)
    expect(acked).toEqual([])
    notes.written('a', 2)
    expect(acked).toEqual([1])
  })

  it('are erased also where the message comes only afterwards', () => {
    const { acked, notes } = book()
    const { version } = notes.next('a')
    notes.written('a', version)
    void notes.erased('a', version)
    expect(notes.arrived('a', version, 9)).toBe(true)
    expect(acked).toEqual([9])
    expect(notes.size).toBe(0)
  })

  it('are behind while the message of one that is erased has not come', () => {
    const { notes } = book()
    const { version } = notes.next('a')
    notes.written('a', version)
    expect(notes.isBehind).toBe(false)
    void notes.erased('a', version)
    expect(notes.isBehind).toBe(true)
    notes.arrived('a', version, 9)
    expect(notes.isBehind).toBe(false)
  })

  it('are erased for whoever waits once the message has come, or none comes any more', async () => {
    const { acked, notes } = book()
    const told: string[] = []
    for (const name of ['a', 'b']) {
      const { version } = notes.next(name)
      notes.written(name, version)
      void notes.erased(name, version).then(() => told.push(name))
    }
    await Promise.resolve()
    expect(told).toEqual([])
    notes.arrived('a', 1, 9)
    await vi.waitFor(() => expect(told).toEqual(['a']))
    expect(acked).toEqual([9])
    notes.close()
    await vi.waitFor(() => expect(told).toEqual(['a', 'b']))
  })

  it('do not know what another reader wrote', () => {
    expect(book().notes.arrived('a', 1, 1)).toBe(false)
  })

  it('come again when they are given back', () => {
    const { acked, notes } = book()
    notes.load([message('a', 1, { deliveryTag: 1 }), message('b', 1, { deliveryTag: 2 })])
    expect(notes.giveBack()).toEqual([1, 2])
    void notes.erased('a', 1)
    expect(notes.arrived('a', 1, 11)).toBe(true)
    expect(notes.arrived('b', 1, 12)).toBe(true)
    expect(acked).toEqual([11])
  })

  it('are what was written last, for whoever reads next, however writes, confirms and messages interleave', () => {
    const operations = fc.array(
      fc.tuple(fc.constantFrom('write', 'erase'), fc.constantFrom('a', 'b', 'c'), fc.boolean()),
      { maxLength: 40 },
    )
    fc.assert(
      fc.property(operations, (all) => {
        const queue = new Map<number, NoteMessage>()
        const notes = new NoteBook((tag) => queue.delete(tag))
        const expected = new Map<string, number>()
        const late: NoteMessage[] = []
        let tag = 0
        for (const [what, name, isLate] of all) {
          if (what === 'erase') {
            void notes.erased(name, notes.versionOf(name))
            expected.delete(name)
            continue
          }
          const { version, order } = notes.next(name)
          const written = message(name, version, { deliveryTag: ++tag, order })
          queue.set(tag, written)
          if (isLate) late.push(written)
          else notes.arrived(name, version, tag)
          notes.written(name, version)
          expected.set(name, version)
        }
        for (const each of late) notes.arrived(each.name, each.version, each.deliveryTag)
        const next = book().notes.load([...queue.values()])
        expect(new Map(next.map(({ name, record: { id } }) => [name, id]))).toEqual(
          new Map([...expected].map(([name, version]) => [name, `${name}${version}`])),
        )
      }),
    )
  })
})
