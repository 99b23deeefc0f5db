import {
  type Call,
  type Codec,
  type ErrorCode,
  type IdempotencyStore,
  type MaybePromise,
  PosthasteError,
} from '@posthaste/contracts'
import {
  durationOption,
  flagOption,
  functionOption,
  integerOption,
  type OptionsSpec,
  optional,
  required,
} from '../../pipeline/options.ts'
import { idempotencyKey } from './idempotency-key.ts'
import { json } from './outcome-codec.ts'

/** By what requests are recognised, and for how long their results are kept. */
export interface IdempotencyOptions {
  /** Where results are kept; shared by all instances of the service. */
  readonly store: IdempotencyStore
  /**
   * What a call is recognised by; undefined: not at all. Default: the header `idempotency-key`, and for a message without it
   * its id. Keys of different targets never meet.
   */
  readonly key?: ((call: Call) => string | undefined) | undefined
  /** Whose key it is, so that nobody is given what another asked for. Give it where callers do not trust each other. */
  readonly caller?: ((call: Call) => string | undefined) | undefined
  /**
   * What a key stands for; another text under the same key is refused. Default: the payload, which must be plain data; of a
   * message nothing, as its id stands for the message.
   */
  readonly fingerprint?: ((call: Call) => MaybePromise<string>) | undefined
  /** Whether a call without a key is refused. Default: false, it is passed on. */
  readonly required?: boolean | undefined
  /** For how many milliseconds a result is kept, from 1. Default: 86,400,000, a day. */
  readonly ttlMs?: number | undefined
  /** Milliseconds after which the work counts as lost if nothing was heard of it, from 1. Default: 60,000. */
  readonly leaseMs?: number | undefined
  /** For how many milliseconds a call waits for the same one that is under way before it is refused, from 0. Default: 0. */
  readonly waitMs?: number | undefined
  /** The biggest result that is kept, in bytes, 1 to 1,073,741,824. Default: 1,048,576. */
  readonly bytesMax?: number | undefined
  /** How results are kept. Default: JSON, so they must be JSON data. */
  readonly codec?: Codec | undefined
  /**
   * Which failures are results, so that a repetition fails the same way. Default: verdict `permanent`, INTERNAL included,
   * except refusals that come before any work (UNAUTHENTICATED, PERMISSION_DENIED, INVALID_ARGUMENT, PAYLOAD_INVALID,
   * UNIMPLEMENTED), and except what is no `PosthasteError`. Never those of messages, whose repetitions are asked for.
   */
  readonly keepFailure?: ((thrown: unknown) => boolean) | undefined
}

/** Options in which nothing is left open. */
export interface Settings {
  readonly store: IdempotencyStore
  readonly key: (call: Call) => string | undefined
  readonly caller: (call: Call) => string | undefined
  readonly fingerprint: ((call: Call) => MaybePromise<string>) | undefined
  readonly required: boolean
  readonly ttlMs: number
  readonly leaseMs: number
  readonly waitMs: number
  readonly bytesMax: number
  readonly codec: Codec
  readonly keepFailure: (thrown: unknown) => boolean
}

const refusals: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(['UNAUTHENTICATED', 'PERMISSION_DENIED', 'INVALID_ARGUMENT', 'PAYLOAD_INVALID', 'UNIMPLEMENTED'] as const),
])

const isFinal = (thrown: unknown): boolean =>
  PosthasteError.is(thrown) ? thrown.verdict === 'permanent' && !refusals.has(thrown.code) : false

const has = (value: unknown, ...names: readonly string[]): boolean =>
  typeof value === 'object' &&
  value !== null &&
  names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'function')

/** What the options may be. */
export const spec: OptionsSpec<Settings> = {
  options: {
    store: required({
      ...{ fallback: undefined as unknown as IdempotencyStore, expects: 'a store with claim, complete and release' },
      accepts: (value) => has(value, 'claim', 'complete', 'release'),
    }),
    key: functionOption<Settings['key']>(idempotencyKey),
    caller: functionOption<Settings['caller']>(() => undefined),
    fingerprint: optional(functionOption<Settings['fingerprint']>(undefined)),
    required: flagOption(false),
    ttlMs: durationOption(86_400_000, { min: 1, max: Number.MAX_SAFE_INTEGER }),
    leaseMs: durationOption(60_000, { min: 1 }),
    waitMs: durationOption(0),
    bytesMax: integerOption(1024 ** 2, { min: 1, max: 1024 ** 3 }),
    codec: { fallback: json, expects: 'a codec', accepts: (value) => has(value, 'encode', 'decode') },
    keepFailure: functionOption<Settings['keepFailure']>(isFinal),
  },
}
