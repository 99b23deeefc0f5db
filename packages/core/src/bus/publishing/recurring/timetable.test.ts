import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { timetable } from './timetable.ts'

const at = (text: string): number => Date.parse(text)

/** The first times after one, as text. */
function times(cron: string, timeZone: string, { from, count }: { from: string; count: number }): string[] {
  const { after } = timetable(cron, timeZone)
  const found: string[] = []
  for (let ms = after(at(from)); ms !== undefined && found.length < count; ms = after(ms)) {
    found.push(new Date(ms).toISOString())
  }
  return found
}

describe('times of a cron expression', () => {
  it('are in the zone’s own time, over its changes of the clock', () => {
    expect(times('0 9 * * *', 'Europe/Berlin', { from: '2026-03-28T00:00:00Z', count: 3 })).toEqual([
      '2026-03-28T08:00:00.000Z',
      '2026-03-29T07:00:00.000Z',
      '2026-03-30T07:00:00.000Z',
    ])
    expect(times('0 9 * * *', 'Asia/Shanghai', { from: '2026-03-28T00:00:00Z', count: 2 })).toEqual([
      '2026-03-28T01:00:00.000Z',
      '2026-03-29T01:00:00.000Z',
    ])
  })

  it('come after the change where the clock skips them', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', { from: '2026-03-28T12:00:00Z', count: 2 })).toEqual([
      '2026-03-29T01:00:00.000Z',
      '2026-03-30T00:30:00.000Z',
    ])
  })

  it('come once where the clock repeats them', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', { from: '2026-10-24T12:00:00Z', count: 2 })).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-26T01:30:00.000Z',
    ])
  })

  it('of an interval go on through the repeated hour', () => {
    expect(times('*/30 * * * *', 'Europe/Berlin', { from: '2026-10-25T00:20:00Z', count: 4 })).toEqual([
      '2026-10-25T00:30:00.000Z',
      '2026-10-25T01:00:00.000Z',
      '2026-10-25T01:30:00.000Z',
      '2026-10-25T02:00:00.000Z',
    ])
  })

  it('may have seconds, or a name', () => {
    expect(times('*/20 * * * * *', 'UTC', { from: '2026-01-01T00:00:00Z', count: 2 })).toEqual([
      '2026-01-01T00:00:20.000Z',
      '2026-01-01T00:00:40.000Z',
    ])
    expect(times('@daily', 'UTC', { from: '2026-01-01T00:00:00Z', count: 1 })).toEqual(['2026-01-02T00:00:00.000Z'])
  })

  it('end where there are none', () => {
    expect(times('0 0 30 2 *', 'UTC', { from: '2026-01-01T00:00:00Z', count: 1 })).toEqual([])
  })

  it.each(['', 'nope', '61 * * * *', '* * * *', '2026-01-01T00:00:00', '2036-01-01'])(
    "are not read from '%s'",
    (cron) => {
      expect(() => timetable(cron, 'UTC')).toThrow()
    },
  )

  it('are always later than what they are asked after', () => {
    const crons = fc.constantFrom('* * * * *', '*/7 * * * *', '30 2 * * *', '0 0 * * 0', '*/10 * * * * *')
    const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe')
    const moments = fc.integer({ min: at('2026-01-01T00:00:00Z'), max: at('2027-01-01T00:00:00Z') })
    fc.assert(
      fc.property(crons, zones, moments, (cron, zone, ms) => {
        expect(timetable(cron, zone).after(ms)).toBeGreaterThan(ms)
      }),
    )
  })
})
