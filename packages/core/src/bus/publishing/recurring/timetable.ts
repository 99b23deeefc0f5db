import { Cron } from 'croner'

/** The times at which something recurs. */
export interface Timetable {
  /** The first time after this one, both in milliseconds since the epoch; undefined where there is none any more. */
  after(ms: number): number | undefined
}

/**
 * Reads a cron expression of five fields, or six with seconds first, in a time zone. Where the clock is put forward, a fixed
 * time that is skipped comes when the clock has moved on; where it is put back, it comes once, the first time.
 *
 * @param timeZone an IANA name: `Europe/Berlin`
 * @throws Error when there is no such expression or zone
 */
export function timetable(cron: string, timeZone: string): Timetable {
  if (onceOnly.test(cron)) throw new Error('it is a date, which comes once')
  // Without a function to call, nothing is set going: it only computes.
  const times = new Cron(cron, { timezone: timeZone, paused: true })
  return { after: (ms) => times.nextRun(new Date(ms))?.getTime() }
}

const onceOnly = /^\s*\d{4}-/
