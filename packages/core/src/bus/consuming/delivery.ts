import type { InboxStore, Issue } from '@posthaste/contracts'
import { durationOption, type OptionsSpec, readOptions, required } from '../../pipeline/options.ts'

/**
 * How often a message takes effect. `at-most-once`: it is acknowledged, durably, before the handler is entered, so what
 * fails or is cut off by a crash is not handled again. `at-least-once`: it is acknowledged after the handler, so a crash in
 * between repeats it. `exactly-once`: what the handler publishes through its context, or writes in the inbox's transaction,
 * takes effect once.
 */
export type DeliveryLevel = 'at-most-once' | 'at-least-once' | 'exactly-once'

/** Where a group remembers what it has handled. */
export interface InboxOptions {
  readonly store: InboxStore
  /**
   * For how long a handled message is recognised, in milliseconds, 1 to 2^53-1: longer than any redelivery or repeated
   * publishing of it may take. Default: 7 days.
   */
  readonly windowMs?: number | undefined
}

/** An inbox with defaults filled in. */
export type InboxSettings = { readonly [K in keyof InboxOptions]-?: NonNullable<InboxOptions[K]> }

const weekMs = 7 * 24 * 3_600_000

const inboxSpec: OptionsSpec<InboxSettings> = {
  options: {
    store: required({
      fallback: undefined as unknown as InboxStore,
      expects: 'an inbox store',
      accepts: (value) => typeof (value as Partial<InboxStore> | null)?.once === 'function',
    }),
    windowMs: durationOption(weekMs, { min: 1, max: Number.MAX_SAFE_INTEGER }),
  },
}

/**
 * An inbox's options with defaults filled in; undefined where there is none.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readInbox(what: string, given: unknown): InboxSettings | undefined {
  return given === undefined ? undefined : readOptions(`${what}.inbox`, given, inboxSpec)
}

/** What contradicts the level of delivery, among the options as they were given. */
export function deliveryIssues(what: string, given: LevelDependent): Issue[] {
  const { delivery = 'at-least-once', retry, errors, inbox, batch } = given
  const once = delivery === 'at-most-once'
  const checks: readonly (readonly [boolean, string, string])[] = [
    [
      once && retry !== undefined && retry !== false,
      'retry',
      'excludes delivery at-most-once: nothing is handled again',
    ],
    [once && errors !== undefined, 'errors', 'excludes delivery at-most-once: what fails is only counted'],
    [
      once && batch,
      'delivery',
      'cannot be at-most-once for batches: what a batch has in it is settled after its handler',
    ],
    [inbox !== undefined && delivery !== 'exactly-once', 'inbox', 'belongs to delivery exactly-once'],
    [inbox !== undefined && batch, 'inbox', 'remembers one message at a time, and batches have many'],
  ]
  return checks.flatMap(([wrong, path, message]) => (wrong ? [{ path: `${what}.${path}`, message }] : []))
}

/** What the level of delivery has a say in. */
export interface LevelDependent {
  readonly delivery?: DeliveryLevel | undefined
  readonly retry?: unknown
  readonly errors?: unknown
  readonly inbox?: unknown
  /** Whether the handler takes batches. */
  readonly batch: boolean
}
