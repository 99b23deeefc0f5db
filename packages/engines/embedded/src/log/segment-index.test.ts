import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SegmentIndex } from './segment-index.ts'

describe('SegmentIndex', () => {
  it('finds what a plain search finds, whatever was added and taken out', () => {
    const steps = fc.array(fc.record({ first: fc.nat(3_000), isAdded: fc.boolean() }), {
      minLength: 500,
      maxLength: 3_000,
    })
    fc.assert(
      fc.property(steps, fc.array(fc.nat(3_100), { minLength: 20 }), (program, questions) => {
        const index = new SegmentIndex<{ first: number }>()
        const model = new Map<number, { first: number }>()
        for (const { first, isAdded } of program) {
          const known = model.get(first)
          if (isAdded && known === undefined) {
            const item = { first }
            model.set(first, item)
            index.add(item)
          } else if (!isAdded && known !== undefined) {
            model.delete(first)
            index.delete(known)
          }
        }
        for (const offset of questions) {
          const expected = [...model.keys()].filter((first) => first <= offset)
          expect(index.atOrBefore(offset)).toBe(model.get(Math.max(-1, ...expected)))
        }
      }),
      { numRuns: 30 },
    )
  })

  it('stays as it is when it is told to take out what it does not have', () => {
    const index = new SegmentIndex<{ first: number }>()
    index.delete({ first: 1 })
    const item = { first: 1 }
    index.add(item)
    index.delete({ first: 1 })
    expect(index.atOrBefore(5)).toBe(item)
  })
})
