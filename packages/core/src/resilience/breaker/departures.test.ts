import { describe, expect, it } from 'vitest'
import { Departures } from './departures.ts'

describe('departures', () => {
  it('are known by key, and say nothing of other keys', () => {
    const departures = new Departures(10)
    departures.note('a', 5)
    expect([departures.certainFrom('a'), departures.certainFrom('b')]).toEqual([5, 0])
    departures.note('a', 7)
    expect(departures.certainFrom('a')).toBe(7)
  })

  it('are known by key for a turn, and then hold for all keys', () => {
    const departures = new Departures(10)
    departures.note('a', 5)
    departures.turn()
    departures.note('b', 8)
    expect([departures.certainFrom('a'), departures.certainFrom('c')]).toEqual([5, 0])
    departures.turn()
    expect([departures.certainFrom('a'), departures.certainFrom('b'), departures.certainFrom('c')]).toEqual([5, 8, 5])
    departures.turn()
    expect(departures.certainFrom('c')).toBe(8)
  })

  it('are no more than twice as many as they may be, and hold for all keys beyond that', () => {
    const departures = new Departures(2)
    for (let epoch = 1; epoch <= 5; epoch++) departures.note(`key ${epoch}`, epoch)
    expect(departures.certainFrom('key 5')).toBe(5)
    expect(departures.certainFrom('another')).toBe(2)
  })
})
