import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { urgencyLevel, urgencyOf } from './urgency.ts'

const urgency = (priority?: string): number =>
  urgencyOf(
    createCall({
      kind: 'serve',
      target: 't',
      id: '1',
      payload: 1,
      headers: priority === undefined ? {} : { priority },
    }),
  )

describe('how urgent a call is', () => {
  it.each([
    [undefined, 3],
    ['', 3],
    ['u=0', 0],
    ['u=7', 7],
    ['u=1, i', 1],
    ['i, u=5', 5],
    [' u=2;why=late , i=?0', 2],
    ['u=1,u=6', 6],
  ])('is what its header says: %s', (header, expected) => {
    expect(urgency(header)).toBe(expected)
  })

  it.each(['u=8', 'u=-1', 'u=12', 'u', 'urgent', 'cpu=1', '5'])('is the usual where that is none: %s', (header) => {
    expect(urgency(header)).toBe(3)
  })

  it('has eight levels, whatever an application says', () => {
    expect([-3, 0.9, 5, 99, Number.NaN].map(urgencyLevel)).toEqual([0, 0, 5, 7, 3])
  })
})
