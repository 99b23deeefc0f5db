import { text, time } from '../../command/options.ts'
import { now } from '../now.ts'

/** Whose dead letters, beside the channel. */
export const placeOptions = {
  group: text('The group that failed them; may be left out where there is only one', { value: 'group' }),
  target: text('Those that an error rule has sent apart under this name', { value: 'name' }),
}

/** Which of them. */
export const whereOptions = {
  code: text('Only those given up for this reason: ATTEMPTS_EXHAUSTED', { value: 'code' }),
  key: text('Only messages of this key', { value: 'key' }),
  correlation: text('Only messages of this correlation id', { value: 'id' }),
  since: time('Only those given up at this time or later: 2026-01-31T09:30:00Z, or -2h', now),
  until: time('Only those given up before this time', now),
}

/** What {@link whereOptions} have read. */
export interface Where {
  readonly code: string | undefined
  readonly key: string | undefined
  readonly correlation: string | undefined
  readonly since: number | undefined
  readonly until: number | undefined
}

/** The same as the core has it; undefined where nothing is said. */
export function whereOf({ code, key, correlation, since, until }: Where) {
  const where = { code, key, correlationId: correlation, sinceMs: since, untilMs: until }
  return Object.values(where).some((value) => value !== undefined) ? where : undefined
}
