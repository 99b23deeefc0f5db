import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Heap } from './heap.ts'

const ascending = () => new Heap<number>((a, b) => a < b)

function drain(heap: Heap<number>): readonly number[] {
  const items: number[] = []
  while (heap.size > 0) items.push(heap.pop() as number)
  return items
}

const sorted = (numbers: readonly number[]) => [...numbers].sort((a, b) => a - b)

describe('Heap', () => {
  it('gives items in order, however they were put in', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = ascending()
        for (const number of numbers) heap.push(number)
        expect(heap.peek()).toBe(sorted(numbers)[0])
        expect(drain(heap)).toEqual(sorted(numbers))
      }),
    )
  })

  it('gives the rest in order after one was taken out of the middle', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { minLength: 1 }), fc.nat(), (numbers, pick) => {
        const heap = ascending()
        for (const number of numbers) heap.push(number)
        const gone = numbers[pick % numbers.length] as number
        expect(heap.remove(gone)).toBe(true)
        expect(drain(heap)).toEqual(sorted(numbers.filter((number) => number !== gone)))
      }),
    )
  })

  it('gives the rest in order after some were taken out wherever they were, and nothing once it was cleared', () => {
    fc.assert(
      fc.property(fc.array(fc.integer()), (numbers) => {
        const heap = ascending()
        for (const number of numbers) heap.push(number)
        heap.removeWhere((number) => number % 3 === 0)
        expect(drain(heap)).toEqual(sorted(numbers.filter((number) => number % 3 !== 0)))
        for (const number of numbers) heap.push(number)
        heap.clear()
        expect(drain(heap)).toEqual([])
      }),
    )
  })

  it('has nothing to give when it is empty, and takes out nothing it does not have', () => {
    const heap = ascending()
    expect([heap.peek(), heap.pop(), heap.size]).toEqual([undefined, undefined, 0])
    heap.push(1)
    expect(heap.remove(2)).toBe(false)
    expect([...heap]).toEqual([1])
  })
})
