import type { ClientTransport, Methods } from '@posthaste/contracts'
import {
  durationOption,
  functionOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  soundOptions,
} from '../pipeline/options.ts'
import type { StackEditor } from '../pipeline/stack.ts'
import { policyOption } from '../resilience/policies/policy.ts'
import type { PolicyOptions } from '../resilience/policies/policy-stack.ts'
import type { Preset } from '../resilience/policies/presets.ts'
import type { ClientStackOptions } from './client-stack.ts'
import type { AnyFallback, Fallbacks } from './fallbacks.ts'

/** How the calls of a client are made. */
export interface ClientOptions<M extends Methods> extends Omit<PolicyOptions, 'fallback' | 'timeoutMs' | 'budget'> {
  /** What carries the calls. Default: they go to what is served in this process. */
  readonly transport?: ClientTransport | undefined
  /** Policies that are set already, such as `standard`; what is said beside it goes before it. Default: no policies. */
  readonly preset?: Preset | undefined
  /**
   * Milliseconds one call may take, its retries included, 1 to 2^31-1; not of methods with streams. Default: the preset's;
   * 30,000 without one.
   */
  readonly timeoutMs?: number | undefined
  /** Milliseconds a call with a stream may take, to its end, 1 to 2^31-1. Default: as long as it lasts. */
  readonly streamTimeoutMs?: number | undefined
  /** What to answer when a method cannot. */
  readonly fallback?: Fallbacks<M> | undefined
  /** Edits the calling stack, {@link clientStack}, of every method. */
  readonly stack?: ((editor: StackEditor<ClientStackOptions>) => StackEditor<ClientStackOptions>) | undefined
}

/** What becomes of calls: by name, as the client's options have it. */
type ClientPolicies = Omit<PolicyOptions, 'fallback' | 'timeoutMs' | 'budget'>

/** The options of a client with defaults filled in. */
export interface ClientSettings extends ClientPolicies {
  readonly transport: ClientTransport | undefined
  readonly preset: Preset | undefined
  readonly timeoutMs: number | undefined
  readonly streamTimeoutMs: number | undefined
  readonly fallback: Readonly<Record<string, AnyFallback | undefined>> | undefined
  readonly stack: NonNullable<ClientOptions<Methods>['stack']>
}

const spec: OptionsSpec<ClientSettings> = {
  options: {
    transport: objectOption('a transport'),
    preset: objectOption('a preset, such as standard'),
    timeoutMs: optional(durationOption(0, { min: 1 })),
    streamTimeoutMs: optional(durationOption(0, { min: 1 })),
    attemptTimeoutMs: optional(durationOption(0, { min: 1 })),
    retry: policyOption,
    cache: policyOption,
    rateLimit: policyOption,
    concurrencyLimit: policyOption,
    bulkhead: policyOption,
    hedge: policyOption,
    breaker: policyOption,
    chaos: policyOption,
    fallback: objectOption('an object of answers by method'),
    stack: functionOption((editor) => editor),
  },
}

function objectOption<T extends object>(expects: string): OptionSpec<T | undefined> {
  return { fallback: undefined, expects, accepts: isObject }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * Options of a client with defaults filled in. What the policies hold is read by their filters.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function readClientOptions(what: string, options: object): ClientSettings {
  return readOptions(what, options, spec)
}

/** Those of the options that are right, to look for mistakes in what they hold. */
export function soundClientOptions(options: object): ClientSettings {
  return soundOptions(options, spec)
}
