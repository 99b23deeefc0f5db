import { describe, expect, it } from 'vitest'
import { choice, duration, flag, integer, Mistake, requiredText, texts, time } from './options.ts'

describe('options', () => {
  it.each([
    ['250ms', 250],
    ['10s', 10_000],
    ['1.5m', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('read the time span %s', (text, ms) => {
    expect(duration('x').read([text])).toBe(ms)
  })

  it.each(['10', 's', '-1s', '1w', '9999999d', ''])('refuse %j as a time span', (text) => {
    expect(() => duration('x').read([text])).toThrow(Mistake)
  })

  it('read times as they stand in ISO 8601, and as spans before and after now', () => {
    const at = time('x', () => 1_000_000)
    expect(at.read(['1970-01-01T00:00:05Z'])).toBe(5_000)
    expect(at.read(['-10s'])).toBe(990_000)
    expect(at.read(['+1m'])).toBe(1_060_000)
    expect(at.read(undefined)).toBeUndefined()
    expect(() => at.read(['yesterday'])).toThrow('must be a time such as')
    expect(() => at.read(['10'])).toThrow(Mistake)
  })

  it('hold whole numbers to their bounds', () => {
    const count = integer('x', { min: 1, max: 10, fallback: 3 })
    expect([count.read(undefined), count.read(['10'])]).toEqual([3, 10])
    for (const text of ['0', '11', '1.5', 'ten', '']) expect(() => count.read([text])).toThrow('from 1 to 10')
  })

  it('name what may be chosen', () => {
    const place = choice('x', ['earliest', 'latest'])
    expect(place.read(['latest'])).toBe('latest')
    expect(() => place.read(['newest'])).toThrow("must be earliest or latest, not 'newest'")
  })

  it('take the last of several, or all of what repeats', () => {
    expect(requiredText('x').read(['a', 'b'])).toBe('b')
    expect(texts('x').read(['a', 'b'])).toEqual(['a', 'b'])
    expect([flag('x').read(true), flag('x').read(undefined)]).toEqual([true, false])
    expect(() => requiredText('x').read(undefined)).toThrow('is missing')
  })
})
