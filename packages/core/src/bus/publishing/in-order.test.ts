import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { gate } from '../../../test/bus/rig.ts'
import { InOrder } from './in-order.ts'

/** Passes things on into a list. */
function line() {
  const order = new InOrder()
  const out: unknown[] = []
  const pass = (lane: string, made: unknown): Promise<unknown> =>
    order.pass(lane, made, async (thing) => {
      out.push(thing)
      return thing
    })
  return { out, pass }
}

describe('things that are passed on in order', () => {
  it('go on within the call where nothing has to be waited for', () => {
    const { out, pass } = line()
    void pass('a', 1)
    expect(out).toEqual([1])
  })

  it('wait for what came earlier in their lane, and for no other lane', async () => {
    const { out, pass } = line()
    const slow = gate()
    const first = pass(
      'a',
      slow.promise.then(() => 'first'),
    )
    const second = pass('a', 'second')
    void pass('b', 'other')
    await Promise.resolve()
    expect(out).toEqual(['other'])
    slow.open()
    expect(await Promise.all([first, second])).toEqual(['first', 'second'])
    expect(out).toEqual(['other', 'first', 'second'])
  })

  it('do not wait for what failed, which is told to whoever passed it', async () => {
    const { out, pass } = line()
    const slow = gate()
    const first = pass('a', slow.promise)
    const second = pass('a', Promise.reject(new Error('second failed')))
    const third = pass('a', 'third')
    slow.fail(new Error('first failed'))
    const ends = await Promise.allSettled([first, second, third])
    expect(ends.map((end) => (end.status === 'rejected' ? end.reason.message : end.value))).toEqual([
      'first failed',
      'second failed',
      'third',
    ])
    expect(out).toEqual(['third'])
  })

  it('do not wait for the passing on itself', async () => {
    const order = new InOrder()
    const out: number[] = []
    const stuck = gate()
    const on = (n: number): Promise<void> => {
      out.push(n)
      return stuck.promise
    }
    void order.pass('a', Promise.resolve(1), on)
    void order.pass('a', 2, on)
    await new Promise((resolve) => setImmediate(resolve))
    expect(out).toEqual([1, 2])
  })

  it('keep their order however long each takes', async () => {
    const moves = fc.array(fc.record({ slow: fc.boolean(), hops: fc.nat({ max: 6 }) }), { maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(moves, async (given) => {
        const { out, pass } = line()
        const later = async (n: number, hops: number): Promise<number> => {
          for (let hop = 0; hop < hops; hop++) await Promise.resolve()
          return n
        }
        const passed = given.map(({ slow, hops }, n) => pass('a', slow ? later(n, hops) : n))
        await Promise.all(passed)
        expect(out).toEqual(given.map((_, n) => n))
      }),
    )
  })
})
