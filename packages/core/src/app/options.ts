import type { Clock, Codec, Engine, FilterEvent, Issue, Log, ServerTransport } from '@posthaste/contracts'
import { ClaimCheck, type ClaimCheckOptions } from '../bus/bodies/claim-check.ts'
import { Codecs } from '../bus/bodies/codecs.ts'
import { systemClock, systemRandom } from '../pipeline/clock.ts'
import {
  checkTogether,
  durationOption,
  flagOption,
  functionOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  required,
} from '../pipeline/options.ts'
import { timerWheel } from '../pipeline/timer-wheel.ts'
import { consoleLog } from './console-log.ts'

/** What an application is made of. */
export interface AppOptions {
  /**
   * Names the application: the `source` of its messages, and its members in groups. 1 to 64 letters, digits, `_`, `-`
   * and `.`, beginning with a letter.
   */
  readonly name: string
  /** What stores and moves messages. May be left out where an application only serves and makes calls. */
  readonly engine?: Engine | undefined
  /** What takes calls from outside. */
  readonly transports?: readonly ServerTransport[] | undefined
  /** What reads bodies of messages beside JSON and the contracts' own codecs, by their content types. Default: none. */
  readonly codecs?: readonly Codec[] | undefined
  /** Where bodies of messages stand that are too big to travel. Default: they are refused. */
  readonly claimCheck?: ClaimCheckOptions | undefined
  /** Default: {@link consoleLog} from level `info` on. */
  readonly log?: Log | undefined
  /** Whether SIGTERM and SIGINT close the application. Exiting is left to the process. Default true. */
  readonly signals?: boolean | undefined
  /** Milliseconds that running work may go on after `close` was called, 0 to 2^31-1. Default 10,000. */
  readonly graceMs?: number | undefined
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
  /** Randomness of jitter, from 0 up to but not 1. Default: the machine's. */
  readonly random?: (() => number) | undefined
  /**
   * Told, while the call waits, what filters do that is out of the ordinary: retries, refusals, changes of state; for
   * metrics and live views. What it throws is logged.
   */
  readonly onFilterEvent?: ((event: FilterEvent) => void) | undefined
}

/** The options with every default in place. */
export interface AppSettings {
  readonly name: string
  readonly engine: Engine | undefined
  readonly transports: readonly ServerTransport[]
  readonly codecs: readonly Codec[] | undefined
  readonly claimCheck: ClaimCheckOptions | undefined
  readonly log: Log
  readonly signals: boolean
  readonly graceMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly onFilterEvent: ((event: FilterEvent) => void) | undefined
}

/** An object that has these methods: what outsiders implement cannot be told by its class. */
function partOption<T>(fallback: T, expects: string, methods: readonly (keyof T)[]): OptionSpec<T> {
  return { fallback, expects, accepts: (value) => has(value, methods) }
}

function has(value: unknown, methods: readonly PropertyKey[]): boolean {
  if (typeof value !== 'object' || value === null) return false
  return methods.every((name) => typeof (value as Readonly<Record<PropertyKey, unknown>>)[name] === 'function')
}

/** An option that is read by whoever uses it. */
const readElsewhere = <T>(): OptionSpec<T | undefined> => ({ fallback: undefined, expects: '', accepts: () => true })

const isTransport = (value: unknown): boolean => has(value, ['start', 'stop'])

const spec = (): OptionsSpec<AppSettings> => ({
  options: {
    name: required({
      fallback: '',
      expects: `1 to 64 letters, digits, '_', '-' and '.', beginning with a letter`,
      accepts: (value) => typeof value === 'string' && /^[A-Za-z][\w.-]{0,63}$/.test(value),
    }),
    engine: optional({
      fallback: undefined,
      expects: 'an engine',
      accepts: (value) => has(value, ['open', 'declare', 'publish', 'subscribe', 'close']),
    } satisfies OptionSpec<Engine | undefined>),
    transports: {
      fallback: [],
      expects: 'an array of transports',
      accepts: (value) => Array.isArray(value) && value.every(isTransport),
    },
    codecs: readElsewhere<readonly Codec[]>(),
    claimCheck: readElsewhere<ClaimCheckOptions>(),
    log: partOption(consoleLog(), 'a log', ['debug', 'info', 'warn', 'error']),
    signals: flagOption(true),
    graceMs: durationOption(10_000),
    clock: partOption(systemClock, 'a clock', ['nowMs', 'monotonicMs', 'setTimer']),
    random: functionOption(systemRandom),
    onFilterEvent: optional(functionOption<AppSettings['onFilterEvent']>(undefined)),
  },
  together: ({ transports }) => {
    const twice = transports.findIndex((transport, at) => transports.indexOf(transport) !== at)
    const issue: Issue = { path: `app.transports.${twice}`, message: 'is in the list twice' }
    return twice < 0 ? [] : [issue]
  },
})

/**
 * Fills in the defaults.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function settingsOf(options: AppOptions): AppSettings {
  const [settings] = checkTogether<unknown>([
    () => readOptions('app', options, spec()),
    () => new Codecs(options?.codecs),
    () => new ClaimCheck(options?.claimCheck, timerWheel(systemClock)),
  ])
  return settings as AppSettings
}
