import { type DataIn, type Issue, type MaybePromise, type MessageContract, PosthasteError } from '@posthaste/contracts'
import { choiceOption, readOptions, refuseOptions, required } from '../../../pipeline/options.ts'
import { plainMessage } from '../../error-text.ts'
import { uuidV5 } from '../derived-ids.ts'
import { type Timetable, timetable } from './timetable.ts'

/** What recurs, and when. */
export interface RecurrenceOptions<C extends MessageContract = MessageContract> {
  /** Names it within the application, 1 to 64 of `A-Z a-z 0-9 . _ -`. A tick that waits under a name goes by what is said here now. */
  readonly name: string
  /**
   * Five fields (minute, hour, day of the month, month, day of the week), or six with seconds first; or `@hourly` and the
   * like. A fixed time that a change of the clock skips comes right after the change, one that it repeats comes once.
   */
  readonly cron: string
  /** IANA name of the zone that the fields are in: `Europe/Berlin`. Default: `UTC`. */
  readonly timeZone?: string | undefined
  /** Whether a time at which nothing ran, up to the next one and longer, is made up for, once, or left out. Default: `once`. */
  readonly missed?: 'once' | 'skip' | undefined
  /**
   * What is published; a function makes it of the time it is published for, in milliseconds since the epoch. One that fails is
   * asked again: after a retryable `PosthasteError` for hours, after a permanent one never, else for some minutes. Then that
   * time is left out, and logged.
   */
  readonly data: DataIn<C> | ((atMs: number) => MaybePromise<DataIn<C>>)
}

/** A recurrence with its options read. */
export interface Recurrence {
  readonly contract: MessageContract
  readonly name: string
  /** Tells this definition from others under the same name. */
  readonly digest: string
  readonly missed: 'once' | 'skip'
  readonly times: Timetable
  /** The data for a time. */
  readonly dataAt: (atMs: number) => MaybePromise<unknown>
}

const namePattern = /^[A-Za-z0-9._-]{1,64}$/
const digestLength = 12
/** b0a9c7d4-1e52-5f63-8c3b-7d48e2f6a915: any fixed value serves, and it must never change. */
const space = Uint8Array.of(176, 169, 199, 212, 30, 82, 95, 99, 140, 59, 125, 72, 226, 246, 169, 21)

const text = { fallback: '', expects: 'text', accepts: (value: unknown) => typeof value === 'string' && value !== '' }

const spec = {
  options: {
    name: required({
      fallback: '',
      expects: '1 to 64 of A-Z a-z 0-9 . _ -',
      accepts: (value: unknown) => typeof value === 'string' && namePattern.test(value),
    }),
    cron: required({ ...text, expects: 'a cron expression' }),
    timeZone: { ...text, fallback: 'UTC', expects: 'the IANA name of a time zone' },
    missed: choiceOption<'once' | 'skip'>('once', ['once', 'skip']),
    data: { fallback: undefined, expects: 'what is published', accepts: () => true },
  },
}

/**
 * Reads what recurs.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function recurrenceOf(contract: MessageContract, given: RecurrenceOptions, nowMs: number): Recurrence {
  const what = `recur(${contract.type})`
  const { name, cron, timeZone, missed, data } = readOptions(what, given, spec)
  const times = timesOf(what, cron, timeZone)
  if (times.after(nowMs) === undefined) refuseOptions([{ path: `${what}.cron`, message: `'${cron}' never comes` }])
  const dataAt = typeof data === 'function' ? (data as (atMs: number) => unknown) : () => data
  const digest = uuidV5(space, `${cron}\n${timeZone}\n${contract.type}`).replaceAll('-', '').slice(0, digestLength)
  return { contract, name, digest, missed, times, dataAt }
}

/** The id of what is published for a time: the same however often the time is handled. */
export function occurrenceId(app: string, { contract, name }: Recurrence, atMs: number): string {
  return uuidV5(space, `${app}\n${contract.type}\n${name}\n${atMs}`)
}

function timesOf(what: string, cron: string, timeZone: string): Timetable {
  const issues: Issue[] = []
  const zone = attempted(() => new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone)
  if (zone instanceof PosthasteError)
    issues.push({ path: `${what}.timeZone`, message: `'${timeZone}' is no time zone that is known here` })
  const times = attempted(() => timetable(cron, zone instanceof PosthasteError ? 'UTC' : timeZone))
  if (times instanceof PosthasteError)
    issues.push({ path: `${what}.cron`, message: `'${cron}' is no cron expression: ${plainMessage(times)}` })
  refuseOptions(issues)
  return times as Timetable
}

function attempted<T>(make: () => T): T | PosthasteError {
  try {
    return make()
  } catch (thrown) {
    return PosthasteError.from(thrown, 'CONFIG_INVALID', 'it cannot be read')
  }
}
