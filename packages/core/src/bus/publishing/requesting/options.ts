import type { Issue } from '@posthaste/contracts'
import {
  checkTogether,
  durationOption,
  type OptionSpec,
  readOptions,
  refuseOptions,
} from '../../../pipeline/options.ts'
import { checkPublishOptions, type PublishOptions } from '../publish-options.ts'

/** What may be said about one request. */
export interface RequestOptions extends Omit<PublishOptions, 'delayMs' | 'atMs' | 'timeToLiveMs'> {
  /** Milliseconds until nobody awaits the reply any more, 1 to 2^31-1; the request is worth nothing then. Default: 30,000. */
  readonly timeoutMs?: number | undefined
  /** Whoever aborts it no longer awaits the reply. */
  readonly signal?: AbortSignal | undefined
}

/** What is said about publishing, apart from what is said about the reply. */
export interface RequestSettings {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly publish: PublishOptions
}

const signalOption: OptionSpec<AbortSignal | undefined> = {
  fallback: undefined,
  expects: 'an AbortSignal',
  accepts: (value) => {
    const { aborted, addEventListener } = (value ?? {}) as Partial<AbortSignal>
    return typeof aborted === 'boolean' && typeof addEventListener === 'function'
  },
}

const spec = { options: { timeoutMs: durationOption(30_000, { min: 1 }), signal: signalOption } }
const none: RequestSettings = Object.freeze({ timeoutMs: 30_000, signal: undefined, publish: Object.freeze({}) })

/** @throws CONFIG_INVALID with an issue per mistake */
export function readRequestOptions(given: RequestOptions | undefined): RequestSettings {
  if (given === undefined) return none
  const { timeoutMs, signal, ...publish } = given
  const [own] = checkTogether<Omit<RequestSettings, 'publish'>>([
    () => readOptions('request', { timeoutMs, signal }, spec),
    () => {
      checkPublishOptions(publish)
      refuseOptions(timesOf(publish))
      return none
    },
  ])
  return { ...own!, publish }
}

/** Types say it to TypeScript, but for options that were declared as those of publishing. */
function timesOf(publish: PublishOptions): Issue[] {
  const given = (['delayMs', 'atMs', 'timeToLiveMs'] as const).filter((name) => publish[name] !== undefined)
  return given.map((path) => ({ path, message: 'cannot be: a request lives for its timeoutMs from now' }))
}
