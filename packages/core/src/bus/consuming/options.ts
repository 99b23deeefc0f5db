import type { MessageContract } from '@posthaste/contracts'
import {
  checkTogether,
  choiceOption,
  durationOption,
  functionOption,
  integerOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  required,
} from '../../pipeline/options.ts'
import type { StackEditor } from '../../pipeline/stack.ts'
import type { BreakerOptions } from '../../resilience/breaker.ts'
import type { Ladder, RetryLadder } from './ladder.ts'
import type { ConsumerStackOptions } from './stacks.ts'

/** How a handler is run. All of it may be left out. */
export interface HandlerOptions {
  /** Most handlers at a time, 1 to 10,000; those of one key run one after the other anyway. Default: 16. */
  readonly concurrency?: number | undefined
  /** Most unsettled deliveries at a time, 1 to 100,000. Default: 256 or 8 times the concurrency, whichever is more. */
  readonly prefetch?: number | undefined
  /** What follows a failure; `false`: the dead letters at once. */
  readonly retry?: RetryLadder | false | undefined
  /** Milliseconds that one attempt may take, 1 to 2^31-1. Default: no bound. */
  readonly timeoutMs?: number | undefined
  /** Pauses the consumer while its handler fails. Default: none. */
  readonly breaker?: BreakerOptions | undefined
  /** Edits the stack of filters around the handler. */
  readonly stack?: ((editor: StackEditor<ConsumerStackOptions>) => StackEditor<ConsumerStackOptions>) | undefined
}

/** How a group follows an event. */
export interface SubscribeOptions extends HandlerOptions {
  /** Who shares the work: each group sees every event. 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly group: string
  /** Where a group that does not exist yet begins: with what comes next, or with all that is still kept. Default: `next`. */
  readonly from?: 'next' | 'earliest' | undefined
}

/** Options with defaults filled in. */
export interface HandlerSettings {
  readonly group: string
  readonly from: 'next' | 'earliest'
  readonly concurrency: number
  readonly prefetch: number
  /** Whether the prefetch is the user's own; otherwise it yields to the engine's limit. */
  readonly prefetchGiven: boolean
  readonly ladder: Ladder
  readonly timeoutMs: number | undefined
  readonly breaker: BreakerOptions | undefined
  readonly stack: HandlerOptions['stack']
}

/** The group of a command: there is one handler. */
export const commandGroup = 'handler'

const groupPattern = /^[A-Za-z0-9_-]{1,64}$/
const prefetchMin = 256
const prefetchPerHandler = 8

const objectOption: OptionSpec<object | undefined> = {
  fallback: undefined,
  expects: 'an object of options',
  accepts: (value) => typeof value === 'object' && value !== null,
}

/** What `retry` and `breaker` hold is read by those who use it. */
const handlerSpec = {
  concurrency: integerOption(16, { min: 1, max: 10_000 }),
  prefetch: optional(integerOption(0, { min: 1, max: 100_000 })),
  retry: { ...objectOption, accepts: (value: unknown) => value === false || objectOption.accepts(value) },
  breaker: objectOption,
  timeoutMs: optional(durationOption(0, { min: 1 })),
  stack: optional(functionOption<unknown>(undefined)),
}

const groupOption = {
  fallback: commandGroup,
  expects: '1 to 64 of A-Z a-z 0-9 _ -',
  accepts: (value: unknown) => typeof value === 'string' && groupPattern.test(value),
}

const subscribeSpec = {
  ...handlerSpec,
  group: required(groupOption),
  from: choiceOption<'next' | 'earliest'>('next', ['next', 'earliest']),
}

const ladderSpec: OptionsSpec<Ladder> = {
  options: {
    immediate: integerOption(2, { min: 0, max: 20 }),
    delayed: integerOption(5, { min: 0, max: 1_000 }),
    baseMs: durationOption(500, { min: 1 }),
    maxMs: durationOption(600_000, { min: 1 }),
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

const noLadder: Ladder = Object.freeze({ immediate: 0, delayed: 0, baseMs: 1, maxMs: 1 })

/**
 * Options of a subscription to an event, with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readSubscribeOptions(what: string, given: SubscribeOptions): HandlerSettings {
  const [own, ladder] = checkTogether<object>([
    () => readOptions(what, given, { options: subscribeSpec }),
    () => readLadder(what, given),
  ])
  return settingsOf({ ...given, ...own } as SubscribeOptions & Filled, ladder as Ladder)
}

/**
 * Options of a command's handler, with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readHandlerOptions(what: string, given: HandlerOptions): HandlerSettings {
  const [own, ladder] = checkTogether<object>([
    () => readOptions(what, given, { options: handlerSpec }),
    () => readLadder(what, given),
  ])
  // Work that was sent before there was a handler is still to be done.
  const place = { group: commandGroup, from: 'earliest' } as const
  return settingsOf({ ...given, ...own, ...place } as SubscribeOptions & Filled, ladder as Ladder)
}

/** What has a default of its own. */
type Filled = Required<Pick<SubscribeOptions, 'group'>> & {
  readonly concurrency: number
  readonly from: 'next' | 'earliest'
}

/**
 * Whose dead letters are asked for. A command's need no name.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readDeadLetterGroup({ type, kind }: MessageContract, given: unknown = {}): string {
  const group: OptionSpec<string> = kind === 'command' ? groupOption : required(groupOption)
  return readOptions(`${type}.deadLetters`, given, { options: { group } }).group
}

function settingsOf(options: SubscribeOptions & Filled, ladder: Ladder): HandlerSettings {
  const { group, from, concurrency, prefetch, timeoutMs, breaker, stack } = options
  return {
    group,
    from,
    concurrency,
    prefetch: prefetch ?? Math.max(prefetchMin, prefetchPerHandler * concurrency),
    prefetchGiven: prefetch !== undefined,
    ladder,
    timeoutMs,
    breaker,
    stack,
  }
}

function readLadder(what: string, given: HandlerOptions | undefined): Ladder {
  const retry = given?.retry
  if (retry === false) return noLadder
  // Anything but an object is reported with the other options.
  const path = `${what}.retry`
  return readOptions(path, objectOption.accepts(retry) ? retry : {}, ladderSpec)
}
