import { describe, expect, it } from 'vitest'
import { FreeList } from './free-list.ts'

describe('a free list', () => {
  it('gives out what was given back last, and nothing when it is empty', () => {
    const list = new FreeList<string>(2)
    expect(list.take()).toBeUndefined()
    list.give('first')
    list.give('second')
    expect([list.take(), list.take(), list.take()]).toEqual(['second', 'first', undefined])
  })

  it('keeps no more than it may', () => {
    const list = new FreeList<number>(2)
    for (const one of [1, 2, 3]) list.give(one)
    expect([list.take(), list.take(), list.take()]).toEqual([2, 1, undefined])
  })
})
