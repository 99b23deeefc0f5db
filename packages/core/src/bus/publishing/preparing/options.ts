import { type Issue, PosthasteError } from '@posthaste/contracts'
import {
  checkTogether,
  durationOption,
  integerOption,
  type OptionsSpec,
  readOptions,
  refuseOptions,
} from '../../../pipeline/options.ts'
import type { Backoff } from '../../../resilience/retry/backoff.ts'
import { checkPublishOptions, type PublishOptions } from '../publish-options.ts'

/** What may be said about a message that is prepared. */
export interface PrepareOptions extends Omit<PublishOptions, 'delayMs' | 'atMs'> {
  /** Milliseconds after which somebody is asked what became of it, 0 to 2^31-1. Default: 6,000. */
  readonly checkAfterMs?: number | undefined
}

/** How often somebody is asked about what is prepared and not decided. */
export interface UnresolvedOptions {
  /** How the waits between two questions grow: each twice the one before. */
  readonly backoff?: {
    /** The first wait at most, in milliseconds, 1 to 2^31-1; half of it at least. Default: 30,000. */
    readonly baseMs?: number | undefined
    /** No wait is longer, in milliseconds. Default: 600,000. */
    readonly maxMs?: number | undefined
  }
  /** Most questions about one message, 1 to 1,000; then it waits until somebody decides by hand. Default: 15. */
  readonly checksMax?: number | undefined
  /** Milliseconds that one answer may take, 1 to 2^31-1; one that takes longer counts as `unknown`. Default: 30,000. */
  readonly timeoutMs?: number | undefined
}

/** The options with defaults filled in. */
export interface UnresolvedSettings {
  readonly backoff: Backoff
  readonly checksMax: number
  readonly timeoutMs: number
}

/** What is said about publishing, apart from what is said about preparing. */
export interface PrepareSettings {
  readonly checkAfterMs: number
  readonly publish: PublishOptions
}

const prepareSpec = { options: { checkAfterMs: durationOption(6_000) } }

/** @throws CONFIG_INVALID with an issue per mistake */
export function readPrepareOptions(given: PrepareOptions = {}): PrepareSettings {
  const { checkAfterMs, ...publish } = given
  const [own] = checkTogether<{ readonly checkAfterMs: number }>([
    () => readOptions('prepare', { checkAfterMs }, prepareSpec),
    () => {
      checkPublishOptions(publish)
      refuseOptions(timesOf(publish))
      return { checkAfterMs: 0 }
    },
  ])
  return { checkAfterMs: own!.checkAfterMs, publish }
}

/** Types say it to TypeScript, but for options that were declared as those of publishing. */
function timesOf(publish: PublishOptions): Issue[] {
  const given = (['delayMs', 'atMs'] as const).filter((name) => publish[name] !== undefined)
  return given.map((path) => ({ path, message: 'cannot be: what is prepared is published when it is committed' }))
}

const unresolvedSpec = {
  options: {
    backoff: {
      fallback: {},
      expects: 'an object of options',
      accepts: (value: unknown) => typeof value === 'object' && value !== null,
    },
    checksMax: integerOption(15, { min: 1, max: 1_000 }),
    timeoutMs: durationOption(30_000, { min: 1 }),
  },
}

const backoffSpec: OptionsSpec<{ readonly baseMs: number; readonly maxMs: number }> = {
  options: { baseMs: durationOption(30_000, { min: 1 }), maxMs: durationOption(600_000, { min: 1 }) },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'backoff.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

/** @throws CONFIG_INVALID with an issue per mistake */
export function readUnresolvedOptions(type: string, given: UnresolvedOptions): UnresolvedSettings {
  const what = `onUnresolved(${type})`
  const waits: unknown = given?.backoff
  const [own, backoff] = checkTogether<object>([
    () => readOptions(what, given, unresolvedSpec),
    () => readOptions(`${what}.backoff`, unresolvedSpec.options.backoff.accepts(waits) ? waits : {}, backoffSpec),
  ])
  return { ...(own as UnresolvedSettings), backoff: { factor: 2, ...(backoff as Omit<Backoff, 'factor'>) } }
}

/** @throws INVALID_ARGUMENT when it is no number of records to look at */
export function checkLimit(limit: unknown): void {
  if (Number.isInteger(limit) && (limit as number) >= 1 && (limit as number) <= 10_000) return
  throw new PosthasteError('INVALID_ARGUMENT', 'limit must be a whole number, 1 to 10,000')
}
