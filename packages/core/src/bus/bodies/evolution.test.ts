import { reject } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dataVersionOf, evolution } from './evolution.ts'

describe('lifting data', () => {
  it('applies every step from the data’s version on, in order, whatever the order they are written in', () => {
    const noting = (from: number) => (data: unknown) => [...(data as number[]), from]
    const versions = fc.uniqueArray(fc.integer({ min: 1, max: 20 }), { maxLength: 12 })
    fc.assert(
      fc.property(versions, fc.integer({ min: 1, max: 25 }), (steps, from) => {
        const { lift } = evolution('shop.noted', 21, Object.fromEntries(steps.map((step) => [step, noting(step)])))
        const expected = steps.filter((step) => step >= from).sort((one, other) => one - other)
        expect(lift([], from)).toEqual(expected)
      }),
    )
  })

  it('lets data refuse to be lifted', () => {
    const broken = evolution('shop.noted', 2, {
      1: () => {
        throw new Error('no currency')
      },
    })
    expect(() => broken.lift({}, 1)).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID', message: expect.stringMatching(/version 1.*no currency/) }),
    )
  })

  it('keeps the verdict of a step that has one', () => {
    const rejecting = evolution('shop.noted', 2, {
      1: () => {
        throw reject('not any more')
      },
    })
    expect(() => rejecting.lift({}, 1)).toThrow(expect.objectContaining({ code: 'HANDLER_REJECTED' }))
  })
})

describe('the version of a message', () => {
  it('is 1 where none is said', () => {
    expect(dataVersionOf(undefined)).toBe(1)
    expect(dataVersionOf('12')).toBe(12)
  })

  it.each(['', '0', '01', '1.5', '-1', 'two', '12345678'])("is refused when it is '%s'", (text) => {
    expect(() => dataVersionOf(text)).toThrow(expect.objectContaining({ code: 'ENVELOPE_INVALID' }))
  })
})
