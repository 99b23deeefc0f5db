import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../testing/manual-clock.ts'
import { isoTime, messageIds } from './ids.ts'

const uuidV7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

describe('messageIds', () => {
  it('makes UUIDs of version 7 that begin with the time', () => {
    const id = messageIds(manualClock(0x0123456789ab))()
    expect(id).toMatch(uuidV7)
    expect(id.slice(0, 13)).toBe('01234567-89ab')
  })

  it('keeps the whole time when it has leading zeros', () => {
    expect(messageIds(manualClock(1))().slice(0, 13)).toBe('00000000-0001')
  })

  it('makes each id greater than the one before, whatever the clock does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: -5, max: 5 }), { minLength: 1, maxLength: 200 }), async (jumps) => {
        const clock = manualClock()
        const next = messageIds(clock)
        let last = ''
        for (const jump of jumps) {
          clock.jump(jump)
          const id = next()
          expect(id).toMatch(uuidV7)
          expect(id > last).toBe(true)
          last = id
        }
      }),
    )
  })

  it('begins the counter of a millisecond in its lower half, so that 33 million ids fit', () => {
    const next = messageIds(manualClock(), (bytes) => bytes.fill(0xff))
    const first = next()
    expect(first.slice(14, 18)).toBe('77ff')
    expect(next() > first).toBe(true)
  })

  it('draws randomness for every id', () => {
    let drawn = 0
    const counting = (bytes: Uint8Array): void => {
      drawn += bytes.length
      for (let i = 0; i < bytes.length; i++) bytes[i] = (i * 151) % 256
    }
    const next = messageIds(manualClock(), counting)
    const tails = new Set(Array.from({ length: 600 }, () => next().slice(-12)))
    expect(tails.size).toBeGreaterThan(40)
    expect(drawn).toBeGreaterThanOrEqual(600 * 6)
  })

  it('makes different ids in two processes at the same time', () => {
    const clock = manualClock()
    const [one, other] = [messageIds(clock), messageIds(clock)]
    const ids = Array.from({ length: 1_000 }, () => [one(), other()]).flat()
    expect(new Set(ids).size).toBe(2_000)
  })
})

describe('isoTime', () => {
  it('formats each time it is given, also when the same comes again', () => {
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z')
    expect(isoTime(1_767_225_600_123)).toBe('2026-01-01T00:00:00.123Z')
    expect(isoTime(1_767_225_600_123)).toBe('2026-01-01T00:00:00.123Z')
    expect(isoTime(0)).toBe('1970-01-01T00:00:00.000Z')
  })
})
