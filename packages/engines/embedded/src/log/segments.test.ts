import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Segment, SegmentList, type SegmentObserver } from './segments.ts'

/** Blocks of a log by their sizes: first offset and end of each. */
function blocksOf(sizes: readonly number[]): { first: number; end: number }[] {
  let end = 0
  return sizes.map((size) => {
    end += size
    return { first: end - size, end }
  })
}

/** Remembers which rows the store would have. */
class Rows implements SegmentObserver {
  readonly firsts = new Set<number>()

  changed({ first }: Segment): void {
    this.firsts.add(first)
  }

  dropped({ first }: Segment): void {
    this.firsts.delete(first)
  }
}

function all(list: SegmentList): Segment[] {
  const found: Segment[] = []
  for (let at = list.head; at !== undefined; at = at.next) found.push(at)
  return found
}

const spans = (list: SegmentList) => all(list).map(({ first, end }) => [first, end])

describe('a segment', () => {
  it('agrees with a set about what is settled, what remains and how much of its beginning', () => {
    const bounds = fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 40 }))
    fc.assert(
      fc.property(bounds, fc.array(fc.nat(100)), ([first, count], wishes) => {
        const segment = new Segment(first, first + count)
        const settled = new Set<number>()
        for (const wish of wishes) {
          const offset = first + (wish % count)
          expect(segment.add(offset)).toBe(!settled.has(offset))
          settled.add(offset)
          let prefix = 0
          while (settled.has(first + prefix)) prefix++
          expect(segment.advancePrefix()).toBe(prefix)
          expect([segment.remaining, segment.done]).toEqual([count - settled.size, count === settled.size])
          for (let at = first; at < first + count; at++) expect(segment.has(at)).toBe(settled.has(at))
        }
        expect(segment.count).toBe(count)
      }),
    )
  })

  it('is what it was when its bits are given to another', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.nat(39), { minLength: 1 }), (count, wishes) => {
        const segment = new Segment(5, 5 + count)
        for (const wish of wishes) segment.add(5 + (wish % count))
        const copy = new Segment(5, 5 + count)
        copy.restore(new Uint8Array(segment.bits ?? []))
        expect(copy.remaining).toBe(segment.remaining)
        for (let at = 5; at < 5 + count; at++) expect(copy.has(at)).toBe(segment.has(at))
        expect(copy.advancePrefix()).toBe(segment.advancePrefix())
      }),
    )
  })
})

describe('a list of segments', () => {
  it('is in order, and finds each by its beginning and its parts, however they came', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(sizes, fc.infiniteStream(fc.nat()), fc.array(fc.boolean()), (given, order, gone) => {
        const blocks = blocksOf(given)
        const list = new SegmentList(new Rows())
        const shuffled = blocks.map((block) => ({ block, by: order.next().value ?? 0 })).sort((a, b) => a.by - b.by)
        for (const { block } of shuffled) list.insert(new Segment(block.first, block.end))
        for (const segment of all(list)) if (gone[segment.first % Math.max(1, gone.length)]) list.remove(segment)
        const kept = blocks.filter(({ first }) => !gone[first % Math.max(1, gone.length)])
        expect(spans(list)).toEqual(kept.map(({ first, end }) => [first, end]))
        const last = blocks.at(-1)?.end ?? 0
        for (let offset = 0; offset <= last + 1; offset++) {
          expect(list.find(offset)?.first).toBe(kept.find(({ first, end }) => first <= offset && offset < end)?.first)
          expect(list.following(offset)?.first).toBe(kept.find(({ first }) => first >= offset)?.first)
        }
      }),
    )
  })

  it('has one segment for neighbours that are done, and one for each that is not, in any order of settling', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 10 })
    fc.assert(
      fc.property(sizes, fc.array(fc.nat(100)), (given, wishes) => {
        const blocks = blocksOf(given)
        const rows = new Rows()
        const list = new SegmentList(rows)
        for (const { first, end } of blocks) list.insert(new Segment(first, end))
        const settled = new Set<number>()
        const length = blocks.at(-1)?.end ?? 0
        for (const wish of wishes) {
          const offset = wish % length
          const segment = list.find(offset)
          if (!segment?.add(offset)) continue
          settled.add(offset)
          if (segment.done) expect(list.merge(segment).done).toBe(true)
        }
        const isDone = ({ first, end }: { first: number; end: number }) =>
          Array.from({ length: end - first }, (_, index) => first + index).every((offset) => settled.has(offset))
        const expected: number[][] = []
        for (const [index, block] of blocks.entries()) {
          const before = blocks[index - 1]
          const last = expected.at(-1)
          if (last !== undefined && before !== undefined && isDone(before) && isDone(block)) last[1] = block.end
          else expected.push([block.first, block.end])
        }
        expect(spans(list)).toEqual(expected)
        for (let offset = 0; offset < length; offset++) expect(list.find(offset)?.has(offset)).toBe(settled.has(offset))
        const done = all(list).filter((each) => each.done)
        expect([...rows.firsts].sort((a, b) => a - b)).toEqual(done.map(({ first }) => first))
        expect(done.every(({ bits }) => bits === undefined)).toBe(true)
      }),
    )
  })

  it('does not join what is done over a gap, whichever side is done first', () => {
    const blocks = [new Segment(0, 2), new Segment(5, 7), new Segment(9, 10)]
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
    ]) {
      const list = new SegmentList(new Rows())
      const copies = blocks.map(({ first, end }) => new Segment(first, end))
      for (const copy of copies) list.insert(copy)
      for (const index of order) {
        const segment = copies[index]
        if (segment === undefined) throw new Error('there are three')
        for (let offset = segment.first; offset < segment.end; offset++) segment.add(offset)
        expect(list.merge(segment).advancePrefix()).toBe(segment.count)
      }
      expect(spans(list)).toEqual(blocks.map(({ first, end }) => [first, end]))
    }
  })
})
