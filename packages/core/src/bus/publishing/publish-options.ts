import { type Issue, PosthasteError } from '@posthaste/contracts'
import { refuseOptions } from '../../pipeline/options.ts'
import { attributeMistake, extensionIssues, isAttributeText } from './attributes.ts'

/** What may be said about one message that is published. All of it may be left out. */
export interface PublishOptions {
  /** The message's id, 1 to 200 characters; the same id again is a repetition of the same message. Default: a new one. */
  readonly id?: string | undefined
  /** The ordering key in place of the contract's own. Only for contracts that have a `key`. */
  readonly key?: string | undefined
  /** CloudEvents extension attributes; names are 1 to 20 of a-z and 0-9. */
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** Ties messages of one business process together. Default: the message's own id, or that of what is being handled. */
  readonly correlationId?: string | undefined
  /** Milliseconds until it may be handled. */
  readonly delayMs?: number | undefined
  /** When it may be handled, milliseconds since the epoch; a time gone by means at once. Excludes `delayMs`. */
  readonly atMs?: number | undefined
  /**
   * Milliseconds, more than 0, from publishing or from when it may be handled, after which it is worth nothing. Default: the
   * contract's.
   */
  readonly timeToLiveMs?: number | undefined
  /** 0 (the default) to the contract's `priorities` − 1: higher ones are handled first. */
  readonly priority?: number | undefined
  /** CloudEvents `source`, a URI-reference. Default: `/` and the application's name. */
  readonly source?: string | undefined
}

/** What may be said about many messages at once. */
export type PublishAllOptions = Omit<PublishOptions, 'id' | 'key'>

/** When a scheduled message may be handled: exactly one of the two. */
export type ScheduleOptions = Omit<PublishOptions, 'delayMs' | 'atMs'> &
  ({ readonly atMs: number; readonly delayMs?: undefined } | { readonly delayMs: number; readonly atMs?: undefined })

const textMax = 200
const isText = (value: unknown): boolean => isAttributeText(value) && value.length > 0 && value.length <= textMax
/** The year 5138, and as long a delay: what stands in an engine is a time that calendars can tell. */
const timeMsMax = 1e14
const isTime = (value: unknown): boolean => typeof value === 'number' && value >= 0 && value <= timeMsMax

const text = { accepts: isText, expects: `must be 1 to ${textMax} characters without control characters` }
const isDuration = (value: unknown): boolean => typeof value === 'number' && value > 0 && Number.isFinite(value)
const isLevel = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 0

const time = { accepts: isTime, expects: `must be a number of milliseconds, 0 to ${timeMsMax}` }

const known: Readonly<Record<string, { accepts(value: unknown): boolean; readonly expects: string }>> = {
  id: text,
  // The key's length in bytes is checked where the contract's own is.
  key: { accepts: (value) => typeof value === 'string', expects: 'must be text' },
  correlationId: text,
  delayMs: time,
  atMs: time,
  timeToLiveMs: { accepts: isDuration, expects: 'must be a number of milliseconds, more than 0' },
  priority: { accepts: isLevel, expects: 'must be a whole number, 0 or more' },
  source: {
    accepts: (value) => attributeMistake('source', value) === undefined,
    expects: 'must be a URI-reference',
  },
}

/**
 * Hot path: looks at what is given only.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function checkPublishOptions(options: PublishOptions): void {
  if (typeof options !== 'object' || options === null)
    refuseOptions([{ path: '', message: 'options must be an object' }])
  let issues: Issue[] | undefined
  for (const name in options) {
    const value = options[name as keyof PublishOptions]
    if (value === undefined) continue
    if (name === 'headers') issues = collected(issues, extensionIssues(value))
    else {
      const message = mistake(name, value)
      if (message !== undefined) issues = collected(issues, [{ path: name, message }])
    }
  }
  if (options.atMs !== undefined && options.delayMs !== undefined) {
    issues = collected(issues, [{ path: 'atMs', message: 'excludes delayMs' }])
  }
  if (issues !== undefined) refuseOptions(issues)
}

/**
 * Types say it to TypeScript, but for options that were declared as those of one message.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function checkPublishAllOptions(options: PublishAllOptions): void {
  const own = ['id', 'key'].filter((name) => (options as PublishOptions | null)?.[name as 'id' | 'key'] !== undefined)
  if (own.length > 0)
    refuseOptions(own.map((path) => ({ path, message: 'belongs to one message, not to all of them' })))
  checkPublishOptions(options)
}

/** @throws CONFIG_INVALID when nothing says when */
export function checkScheduleOptions(options: ScheduleOptions): void {
  if (options?.atMs !== undefined || options?.delayMs !== undefined) return
  throw new PosthasteError('CONFIG_INVALID', 'schedule needs atMs or delayMs', {
    remedy: 'Say when, or publish at once.',
  })
}

/** @throws INVALID_ARGUMENT when something cannot be a message's id */
export function checkId(id: unknown): void {
  if (isText(id)) return
  const message = `id ${text.expects}`
  throw new PosthasteError('INVALID_ARGUMENT', message, { issues: [{ path: 'id', message: text.expects }] })
}

function mistake(name: string, value: unknown): string | undefined {
  if (!Object.hasOwn(known, name)) return `is not an option; there are headers, ${Object.keys(known).join(', ')}`
  return known[name]!.accepts(value) ? undefined : known[name]!.expects
}

function collected(issues: Issue[] | undefined, more: readonly Issue[]): Issue[] | undefined {
  return more.length === 0 ? issues : [...(issues ?? []), ...more]
}
