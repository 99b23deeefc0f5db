import type { BrowsedRecord, RecordMatch } from '@posthaste/contracts'
import {
  checkTogether,
  choiceOption,
  flagOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../../pipeline/options.ts'

/** Which dead letters: all that is given must hold. */
export interface DeadLetterWhere {
  /** Why it was given up: `PAYLOAD_INVALID`. */
  readonly code?: string | undefined
  /** The message's ordering key. */
  readonly key?: string | undefined
  /** The message's correlation id. */
  readonly correlationId?: string | undefined
  /** Given up at this time or later, milliseconds since the epoch. */
  readonly sinceMs?: number | undefined
  /** Given up before this time, milliseconds since the epoch. */
  readonly untilMs?: number | undefined
}

/** Where to look. */
export interface DeadLetterQuery {
  /** At most this many, 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined
  /** Continue after this position. Default: from the oldest. */
  readonly after?: string | undefined
  /** Only these. Default: all. */
  readonly where?: DeadLetterWhere | undefined
}

/** Which dead letters to move: exactly one of `ids`, `positions`, `where` and `all`. */
export interface RedriveSelection {
  readonly ids?: readonly string[] | undefined
  readonly positions?: readonly string[] | undefined
  /** Those that match of what was there when it began. */
  readonly where?: DeadLetterWhere | undefined
  /** All that were there when it began; those that die again meanwhile are left. */
  readonly all?: true | undefined
  /** At most this many, the oldest first, from 1. Default: no bound. */
  readonly limit?: number | undefined
  /** Only those after this position: the `next` of a report. Default: from the oldest. */
  readonly after?: string | undefined
}

/** How to move them. */
export interface RedriveOptions extends RedriveSelection {
  /** At most this many a second, evenly spread, 0.001 to 1,000,000. Default: as fast as the engine takes them. */
  readonly ratePerSecond?: number | undefined
  /** Only tells how many would be moved. Default: false. */
  readonly dryRun?: boolean | undefined
  /** Told after every step, a few hundred letters at most. What it throws ends the work and is thrown. */
  readonly onProgress?: ((progress: RedriveProgress) => void) | undefined
  /** Ends the work before the next step; the report tells where to go on. */
  readonly signal?: AbortSignal | undefined
}

/** How far it has come. */
export interface RedriveProgress {
  /** Dead letters looked at. */
  readonly looked: number
  /** Those moved; in a dry run, those that would have been. */
  readonly moved: number
  readonly failed: number
  /** Where to go on, as `after`, should it end here. */
  readonly next: string | undefined
}

/** What is looked for, for the engine and for what engines cannot tell. */
export interface Finding {
  readonly match: RecordMatch | undefined
  readonly accepts: ((found: BrowsedRecord) => boolean) | undefined
}

const pageMax = 10_000

const text: OptionSpec<string | undefined> = {
  fallback: undefined,
  expects: 'text',
  accepts: (value) => typeof value === 'string' && value !== '',
}
const texts: OptionSpec<readonly string[] | undefined> = {
  fallback: undefined,
  expects: 'an array of text',
  accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
}
const object: OptionSpec<object | undefined> = {
  fallback: undefined,
  expects: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null,
}
const time = optional(numberOption(0, { min: 0, max: Number.MAX_SAFE_INTEGER }))
const whereSpec = { code: text, key: text, correlationId: text, sinceMs: time, untilMs: time }
const querySpec = { limit: integerOption(100, { min: 1, max: pageMax }), after: text, where: object }
const movingSpec = {
  ids: texts,
  positions: texts,
  where: object,
  all: optional(choiceOption<boolean>(true, [true])),
  limit: optional(integerOption(0, { min: 1, max: Number.MAX_SAFE_INTEGER })),
  after: text,
  ratePerSecond: optional(numberOption(0, { min: 0.001, max: 1_000_000 })),
  dryRun: flagOption(false),
  onProgress: optional(functionOption<(progress: RedriveProgress) => void>(() => {})),
  signal: {
    fallback: undefined,
    expects: 'an AbortSignal',
    accepts: (value: unknown) => typeof value === 'object' && value !== null && 'aborted' in value,
  } satisfies OptionSpec<AbortSignal | undefined>,
}

/**
 * A query with its defaults.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readQuery(given: DeadLetterQuery): { limit: number; after: string | undefined; finding: Finding } {
  const [own, where] = checkTogether<object>([
    () => readOptions('browse', given, { options: querySpec }),
    () => readWhere('browse.where', given?.where),
  ])
  return { ...(own as { limit: number; after: string | undefined }), finding: findingOf(where as DeadLetterWhere) }
}

/** A selection with its options in place. */
export interface Moving {
  readonly by: 'id' | 'position' | 'where'
  readonly wanted: Set<string>
  readonly finding: Finding
  readonly limit: number
  readonly after: string | undefined
  readonly ratePerSecond: number | undefined
  readonly dryRun: boolean
  readonly onProgress: ((progress: RedriveProgress) => void) | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * What is to be moved, and how.
 * @param what names the call in mistakes: `redrive`, `discard`
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readMoving(what: string, given: RedriveOptions): Moving {
  const [own, where] = checkTogether<object>([
    () => readOptions(what, given, { options: movingSpec }),
    () => readWhere(`${what}.where`, given?.where),
  ])
  const options = own as Omit<RedriveOptions, 'dryRun'> & { readonly dryRun: boolean }
  const { ids, positions, all, limit = Number.POSITIVE_INFINITY, after } = options
  if ([ids, positions, options.where, all].filter((way) => way !== undefined).length !== 1) {
    refuseOptions([{ path: what, message: 'needs exactly one of ids, positions, where and all' }])
  }
  const { ratePerSecond, dryRun, onProgress, signal } = options
  const how = { limit, after, ratePerSecond, dryRun, onProgress, signal }
  if (positions !== undefined) return { ...how, by: 'position', wanted: new Set(positions), finding: findingOf({}) }
  if (ids === undefined) return { ...how, by: 'where', wanted: new Set(), finding: findingOf(where as DeadLetterWhere) }
  // An engine may know where a single one stands.
  const match = ids.length === 1 ? { id: ids[0] } : undefined
  return { ...how, by: 'id', wanted: new Set(ids), finding: { match, accepts: undefined } }
}

function readWhere(path: string, given: unknown): DeadLetterWhere {
  // Anything but an object is reported with the other options.
  return readOptions(path, object.accepts(given) ? given : {}, { options: whereSpec })
}

function findingOf({ code, ...match }: DeadLetterWhere): Finding {
  const isMatch = Object.values(match).some((value) => value !== undefined)
  const accepts = code === undefined ? undefined : ({ record }: BrowsedRecord) => record.headers.dlcode === code
  return { match: isMatch ? match : undefined, accepts }
}
