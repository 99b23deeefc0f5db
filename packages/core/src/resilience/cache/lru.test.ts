import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Lru } from './lru.ts'

describe('a bounded map', () => {
  it('keeps the entries used last, as a list that is searched from its end would', () => {
    const key = fc.constantFrom('a', 'b', 'c', 'd', 'e')
    const step = fc.tuple(fc.constantFrom('get', 'set', 'delete'), key, fc.integer({ min: 1 }))
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 4 }), fc.array(step), (sizeMax, steps) => {
        const lru = new Lru<number>(sizeMax)
        let model: [string, number][] = []
        for (const [kind, name, value] of steps) {
          const known = model.find(([other]) => other === name)
          const others = model.filter(([other]) => other !== name)
          if (kind === 'get') {
            expect(lru.get(name)).toBe(known?.[1])
            if (known) model = [...others, known]
          } else if (kind === 'set') {
            lru.set(name, value)
            model = [...others, [name, value] as [string, number]].slice(-sizeMax)
          } else {
            lru.delete(name)
            model = others
          }
          expect(lru.size).toBe(model.length)
        }
      }),
    )
  })

  it('counts what had to go', () => {
    const lru = new Lru<number>(1)
    lru.set('a', 1)
    lru.set('a', 2)
    expect(lru.evicted).toBe(0)
    lru.set('b', 1)
    expect([lru.evicted, lru.get('a'), lru.get('b')]).toEqual([1, undefined, 1])
    lru.clear()
    expect(lru.size).toBe(0)
  })
})
