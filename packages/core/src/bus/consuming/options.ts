import type { Issue } from '@posthaste/contracts'
import {
  checkTogether,
  choiceOption,
  durationOption,
  flagOption,
  functionOption,
  integerOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
  required,
} from '../../pipeline/options.ts'
import type { StackEditor } from '../../pipeline/stack.ts'
import { policyOption } from '../../resilience/policies/policy.ts'
import type { PolicyOptions } from '../../resilience/policies/policy-stack.ts'
import { type CompiledFilter, readFilter, type SubscriptionFilter } from '../filtering/filter.ts'
import { broadcastGroupMax } from '../instance-group.ts'
import { type DeliveryLevel, deliveryIssues, type InboxOptions, type InboxSettings, readInbox } from './delivery.ts'
import { type ErrorRule, type ErrorRuleSettings, readErrorRules } from './error-rules.ts'
import { type Ladder, noLadder, type RetryLadder, readLadder } from './ladder.ts'
import type { ConsumerStackOptions, HandlerPolicies } from './stacks.ts'

/** How a handler is run. All of it may be left out. */
export interface HandlerOptions {
  /** Most handlers at a time, 1 to 10,000; those of one key run one after the other anyway. Default: 16; of batches 1. */
  readonly concurrency?: number | undefined
  /**
   * Most unsettled deliveries at a time, 1 to 100,000. Default: 256, 8 times the concurrency, or two batches for each of
   * the concurrency, whichever is more.
   */
  readonly prefetch?: number | undefined
  /** What follows a failure; `false`: the dead letters at once. */
  readonly retry?: RetryLadder | false | undefined
  /** What follows failures of a kind; the first rule that matches holds. At most 100. */
  readonly errors?: readonly ErrorRule[] | undefined
  /** Milliseconds that one attempt may take, 1 to 2^31-1. Default: no bound. */
  readonly timeoutMs?: number | undefined
  /** Takes messages on at a rate. Default: none. */
  readonly rateLimit?: PolicyOptions['rateLimit']
  /** Finds out how many handlers at a time what they lean on can do, and takes no more messages on. Default: none. */
  readonly concurrencyLimit?: PolicyOptions['concurrencyLimit']
  /**
   * Bounds how many handlers are under way at a time, of all consumers and calls that share it: what `concurrency` does for
   * one consumer alone. Default: none.
   */
  readonly bulkhead?: PolicyOptions['bulkhead']
  /** Pauses the consumer while its handler fails. Default: none. */
  readonly breaker?: PolicyOptions['breaker']
  /** Injects faults, to see what they do. Default: none. */
  readonly chaos?: PolicyOptions['chaos']
  /** Edits the stack of filters around the handler. */
  readonly stack?: ((editor: StackEditor<ConsumerStackOptions>) => StackEditor<ConsumerStackOptions>) | undefined
  /**
   * How often a message takes effect. `exactly-once` needs an engine that settles and publishes in one step, or an
   * `inbox`. Default: `at-least-once`.
   */
  readonly delivery?: DeliveryLevel | undefined
  /** Recognises what was handled before. Only for `exactly-once`, and not for batches. */
  readonly inbox?: InboxOptions | undefined
  /** Which messages are handled; the others are settled for the group, without an attempt. Default: all. */
  readonly filter?: SubscriptionFilter | undefined
  /** What becomes of a message that outlived its time to live; a request's is dropped in any case. Default: `dead-letter`. */
  readonly expired?: 'dead-letter' | 'drop' | undefined
}

/** How a group follows an event. */
export interface SubscribeOptions extends HandlerOptions {
  /** Who shares the work: each group sees every event. 1 to 64 of `A-Z a-z 0-9 _ -`. */
  readonly group: string
  /** Where a group that does not exist yet begins: with what comes next, or with all that is still kept. Default: `next`. */
  readonly from?: 'next' | 'earliest' | undefined
  /**
   * `temporary`: the group, with all that waits in it, goes with its last member. Default: `durable`, or `temporary` for
   * a broadcast.
   */
  readonly lifetime?: 'durable' | 'temporary' | undefined
  /** Each instance gets every event, as a temporary group of its own. Default: false. */
  readonly broadcast?: boolean | undefined
}

/** How batches are gathered. */
export interface BatchOptions {
  /** Most messages of one batch, 1 to 1,000. Default: 100. */
  readonly max?: number | undefined
  /** How long a batch that is not full waits for more, in milliseconds, 0 to 60,000. Default: 0: what is ready at once. */
  readonly waitMs?: number | undefined
}

/** How batches are handled: an inbox remembers one message at a time. */
type Batched<Options extends HandlerOptions> = Omit<Options, 'inbox'> & { readonly batch?: BatchOptions | undefined }

/** How batches of a command are handled. */
export type BatchHandlerOptions = Batched<HandlerOptions>

/** How a group follows an event in batches. */
export type BatchSubscribeOptions = Batched<SubscribeOptions>

/** How batches are gathered, with defaults filled in. */
export type BatchSettings = { readonly [K in keyof BatchOptions]-?: NonNullable<BatchOptions[K]> }

/** Options with defaults filled in. */
export interface HandlerSettings {
  readonly group: string
  readonly from: 'next' | 'earliest'
  readonly lifetime: 'durable' | 'temporary'
  readonly broadcast: boolean
  readonly concurrency: number
  readonly prefetch: number
  /** Whether the prefetch is the user's own; otherwise it yields to the engine's limit. */
  readonly prefetchGiven: boolean
  readonly ladder: Ladder
  readonly errors: readonly ErrorRuleSettings[]
  readonly timeoutMs: number | undefined
  readonly policies: HandlerPolicies
  readonly stack: HandlerOptions['stack']
  readonly delivery: DeliveryLevel
  readonly inbox: InboxSettings | undefined
  readonly filter: CompiledFilter | undefined
  readonly expired: 'dead-letter' | 'drop'
  /** Undefined for a handler of single messages. */
  readonly batch: BatchSettings | undefined
}

/** Whether a handler takes single messages or batches. */
export type HandlerShape = 'single' | 'batch'

/** The group of a command: there is one handler. */
export const commandGroup = 'handler'

const groupPattern = /^[A-Za-z0-9_-]{1,64}$/
const prefetchMin = 256
const prefetchPerHandler = 8
const concurrencyDefault = 16

const objectOption: OptionSpec<object | undefined> = {
  fallback: undefined,
  expects: 'an object of options',
  accepts: (value) => typeof value === 'object' && value !== null,
}

/** An option that is read by whoever knows it. */
const readElsewhere: OptionSpec<unknown> = { fallback: undefined, expects: '', accepts: () => true }

const levels: readonly DeliveryLevel[] = ['at-most-once', 'at-least-once', 'exactly-once']

/** What an option of another part holds is read by that part. */
const handlerSpec = {
  concurrency: optional(integerOption(0, { min: 1, max: 10_000 })),
  prefetch: optional(integerOption(0, { min: 1, max: 100_000 })),
  retry: { ...objectOption, accepts: (value: unknown) => value === false || objectOption.accepts(value) },
  errors: readElsewhere,
  rateLimit: policyOption,
  concurrencyLimit: policyOption,
  bulkhead: policyOption,
  breaker: policyOption,
  chaos: policyOption,
  timeoutMs: optional(durationOption(0, { min: 1 })),
  stack: optional(functionOption<unknown>(undefined)),
  delivery: choiceOption<DeliveryLevel>('at-least-once', levels),
  inbox: readElsewhere,
  filter: readElsewhere,
  expired: choiceOption<'dead-letter' | 'drop'>('dead-letter', ['dead-letter', 'drop']),
}

/** The name of a group. */
export const groupOption = {
  fallback: commandGroup,
  expects: '1 to 64 of A-Z a-z 0-9 _ -',
  accepts: (value: unknown) => typeof value === 'string' && groupPattern.test(value),
}

const subscribeSpec = {
  ...handlerSpec,
  group: required(groupOption),
  from: choiceOption<'next' | 'earliest'>('next', ['next', 'earliest']),
  lifetime: optional(choiceOption<'durable' | 'temporary'>('durable', ['durable', 'temporary'])),
  broadcast: flagOption(false),
}

const batchSpec: OptionsSpec<BatchSettings> = {
  options: {
    max: integerOption(100, { min: 1, max: 1_000 }),
    waitMs: durationOption(0, { max: 60_000 }),
  },
}

/**
 * Options of a subscription to an event, with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readSubscribeOptions(what: string, given: unknown, shape: HandlerShape = 'single'): HandlerSettings {
  return read(what, given, { spec: subscribeSpec, shape })
}

/**
 * Options of a command's handler, with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readHandlerOptions(what: string, given: unknown, shape: HandlerShape = 'single'): HandlerSettings {
  // Work that was sent before there was a handler is still to be done.
  const place = { group: commandGroup, from: 'earliest' } as const
  return { ...read(what, given, { spec: handlerSpec, shape }), ...place }
}

/** Which options there are. */
interface Reading {
  readonly spec: typeof handlerSpec | typeof subscribeSpec
  readonly shape: HandlerShape
}

/** What every option is, before defaults that depend on others. */
type Given = Partial<Omit<BatchSubscribeOptions, 'inbox'> & { readonly inbox?: InboxOptions }>

function read(what: string, given: unknown, { spec, shape }: Reading): HandlerSettings {
  const options: Given = typeof given === 'object' && given !== null ? given : {}
  const batched = shape === 'batch'
  const known: Record<string, OptionSpec<unknown>> = batched ? { ...spec, batch: objectOption } : spec
  const parts: readonly Partial<SettingsParts>[] = checkTogether<Partial<SettingsParts>>([
    () => {
      readOptions(what, given, { options: known })
      return {}
    },
    () => ({ ladder: ladderOf(what, options) }),
    () => ({ errors: readErrorRules(what, options.errors) }),
    () => ({ inbox: readInbox(what, options.inbox) }),
    () => ({ filter: readFilter(what, options.filter) }),
    () => ({ batch: batched ? readBatch(what, options.batch) : undefined }),
    () => {
      refuseOptions([...deliveryIssues(what, { ...options, batch: batched }), ...lifetimeIssues(what, options)])
      return {}
    },
  ])
  return settingsOf(options, Object.assign({}, ...parts) as SettingsParts)
}

/** What is read by itself. */
type SettingsParts = Pick<HandlerSettings, 'ladder' | 'errors' | 'inbox' | 'filter' | 'batch'>

function settingsOf(options: Given, parts: SettingsParts): HandlerSettings {
  const { prefetch, broadcast = false, delivery = 'at-least-once' } = options
  const concurrency = options.concurrency ?? (parts.batch === undefined ? concurrencyDefault : 1)
  const ahead = parts.batch === undefined ? prefetchPerHandler : 2 * parts.batch.max
  return {
    ...parts,
    group: options.group ?? commandGroup,
    from: options.from ?? 'next',
    lifetime: options.lifetime ?? (broadcast ? 'temporary' : 'durable'),
    broadcast,
    concurrency,
    prefetch: prefetch ?? Math.min(Math.max(prefetchMin, ahead * concurrency), 100_000),
    prefetchGiven: prefetch !== undefined,
    timeoutMs: options.timeoutMs,
    policies: policiesOf(options),
    stack: options.stack,
    delivery,
    expired: options.expired ?? 'dead-letter',
  }
}

function policiesOf({ rateLimit, concurrencyLimit, bulkhead, breaker, chaos }: Given): HandlerPolicies {
  return { rateLimit, concurrencyLimit, bulkhead, breaker, chaos }
}

function ladderOf(what: string, { retry, delivery }: Given): Ladder {
  if (retry === false || delivery === 'at-most-once') return noLadder
  // Anything but an object is reported with the other options.
  return readLadder(`${what}.retry`, objectOption.accepts(retry) ? retry : {})
}

/** Anything but an object is reported with the other options. */
function readBatch(what: string, given: unknown): BatchSettings {
  return readOptions(`${what}.batch`, objectOption.accepts(given) ? given : {}, batchSpec)
}

function lifetimeIssues(what: string, { broadcast, lifetime, group }: Given): Issue[] {
  if (broadcast !== true) return []
  const tooLong = `must have at most ${broadcastGroupMax} characters for a broadcast: each instance adds its own`
  const checks: readonly (readonly [boolean, string, string])[] = [
    [lifetime === 'durable', 'lifetime', 'must be temporary for a broadcast: its groups go with their instances'],
    [typeof group === 'string' && group.length > broadcastGroupMax, 'group', tooLong],
  ]
  return checks.filter(([isWrong]) => isWrong).map(([, path, message]) => ({ path: `${what}.${path}`, message }))
}
