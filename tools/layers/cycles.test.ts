import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cyclesOf } from './cycles.ts'

describe('cyclesOf', () => {
  it('finds a loop through three files and names each of them', () => {
    const graph = new Map([
      ['a', ['b']],
      ['b', ['c']],
      ['c', ['a', 'd']],
      ['d', []],
    ])
    expect(cyclesOf(graph).map((cycle) => [...cycle].sort())).toEqual([['a', 'b', 'c']])
  })

  it('finds a file that imports itself', () => {
    expect(cyclesOf(new Map([['a', ['a']]]))).toEqual([['a']])
  })

  it('keeps two separate loops apart', () => {
    const graph = new Map([
      ['a', ['b', 'c']],
      ['b', ['a']],
      ['c', ['d']],
      ['d', ['c']],
    ])
    expect(
      cyclesOf(graph)
        .map((cycle) => [...cycle].sort().join())
        .sort(),
    ).toEqual(['a,b', 'c,d'])
  })

  it('finds nothing in any graph whose edges all point downwards, and something once one points back', () => {
    const size = fc.integer({ min: 2, max: 12 })
    const edges = size.chain((n) => fc.array(fc.tuple(fc.nat(n - 1), fc.nat(n - 1)), { maxLength: 40 }))
    fc.assert(
      fc.property(edges, (pairs) => {
        const graph = new Map<string, string[]>()
        for (const [a, b] of pairs) {
          if (a === b) continue
          const from = String(Math.max(a, b))
          graph.set(from, [...(graph.get(from) ?? []), String(Math.min(a, b))])
        }
        expect(cyclesOf(graph)).toEqual([])
        const [from, targets] = [...graph][0] ?? []
        if (from === undefined || targets === undefined) return
        const back = targets[0]!
        graph.set(back, [...(graph.get(back) ?? []), from])
        expect(cyclesOf(graph)).not.toEqual([])
      }),
    )
  })
})
