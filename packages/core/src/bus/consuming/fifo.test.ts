import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Fifo } from './fifo.ts'

describe('Fifo', () => {
  it('behaves like an array that is pushed and shifted', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 200 }), (pushes) => {
        const fifo = new Fifo<number>()
        const model: number[] = []
        for (const [n, push] of pushes.entries()) {
          if (push) {
            fifo.push(n)
            model.push(n)
          } else expect(fifo.shift()).toBe(model.shift())
          expect(fifo.length).toBe(model.length)
        }
      }),
    )
  })

  it('keeps its order where it is long and never quite empty', () => {
    const fifo = new Fifo<number>()
    let next = 0
    for (let n = 0; n < 10_000; n++) {
      fifo.push(n)
      if (n % 3 !== 0) expect(fifo.shift()).toBe(next++)
    }
    while (fifo.length > 0) expect(fifo.shift()).toBe(next++)
    expect(next).toBe(10_000)
  })
})
