import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Chained, KeyChains } from './key-chains.ts'

class Item implements Chained<Item> {
  readonly key: string | undefined
  readonly n: number
  behind: Item | undefined = undefined

  constructor(key: string | undefined, n: number) {
    this.key = key
    this.n = n
  }
}

describe('KeyChains', () => {
  it('gives items without a key their turn at once, and remembers nothing of them', () => {
    const chains = new KeyChains<Item>()
    const one = new Item(undefined, 1)
    expect([chains.enter(one), chains.enter(new Item(undefined, 2))]).toEqual([true, true])
    expect(chains.leave(one)).toBeUndefined()
    expect(chains.takeBehind(one)).toEqual([])
    expect(chains.size).toBe(0)
  })

  it('lets one of a key have its turn at a time, in order, and others theirs', () => {
    const chains = new KeyChains<Item>()
    const [a1, a2, a3, b1] = [new Item('a', 1), new Item('a', 2), new Item('a', 3), new Item('b', 1)]
    expect([a1, a2, a3, b1].map((item) => chains.enter(item))).toEqual([true, false, false, true])
    expect(chains.leave(a1)).toBe(a2)
    expect(chains.leave(a2)).toBe(a3)
    expect(chains.leave(a3)).toBeUndefined()
    expect(chains.size).toBe(1)
  })

  it('takes out what waits behind a head and leaves the head in place', () => {
    const chains = new KeyChains<Item>()
    const [a1, a2, a3, a4] = [new Item('a', 1), new Item('a', 2), new Item('a', 3), new Item('a', 4)]
    for (const item of [a1, a2, a3]) chains.enter(item)
    expect(chains.takeBehind(a1)).toEqual([a2, a3])
    expect(chains.enter(a4)).toBe(false)
    expect(chains.leave(a1)).toBe(a4)
  })

  it('is not disturbed by an item that has left already', () => {
    const chains = new KeyChains<Item>()
    const [a1, a2, a3] = [new Item('a', 1), new Item('a', 2), new Item('a', 3)]
    for (const item of [a1, a2]) chains.enter(item)
    chains.leave(a1)
    expect(chains.takeBehind(a1)).toEqual([])
    expect(chains.leave(a1)).toBeUndefined()
    expect(chains.enter(a3)).toBe(false)
    expect(chains.leave(a2)).toBe(a3)
  })

  it('behaves like a list per key, whatever happens in whatever order', () => {
    const step = fc.record({
      do: fc.constantFrom('enter', 'enter', 'leave', 'takeBehind'),
      key: fc.constantFrom('a', 'b'),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const chains = new KeyChains<Item>()
        const model: Record<string, Item[]> = { a: [], b: [] }
        for (const [n, { do: what, key }] of steps.entries()) {
          const list = model[key]!
          const head = list[0]
          if (what === 'enter') {
            const item = new Item(key, n)
            list.push(item)
            expect(chains.enter(item)).toBe(list.length === 1)
          } else if (head !== undefined && what === 'leave') {
            list.shift()
            expect(chains.leave(head)).toBe(list[0])
          } else if (head !== undefined) expect(chains.takeBehind(head)).toEqual(list.splice(1))
          expect(chains.size).toBe(Object.values(model).filter((items) => items.length > 0).length)
        }
      }),
    )
  })
})
