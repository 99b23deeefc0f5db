import type { StackSlot } from '../../pipeline/stack.ts'
import { withDefaults } from './policy.ts'
import { type PolicyOptions, policyStack } from './policy-stack.ts'

/** A stack of policies with settings of its own, for a kind of call. */
export interface Preset {
  readonly name: string
  /** Which calls it is for. */
  readonly why: string
  /** Milliseconds a call may take, its retries included. */
  readonly timeoutMs: number
  /** {@link policyStack} with the settings of the preset, and their reasons; options given beside it go before them. */
  readonly slots: readonly StackSlot<PolicyOptions>[]
}

/** The policies that a preset may set. */
export type PresetPolicies = Omit<PolicyOptions, 'timeoutMs' | 'budget' | 'fallback'>

/** What a preset is made of. */
export interface PresetInit {
  readonly name: string
  /** Which calls it is for. */
  readonly why: string
  /** Milliseconds a call may take, its retries included. */
  readonly timeoutMs: number
  readonly policies: PresetPolicies
  /** Why the policies are set as they are, by role. */
  readonly reasons: Readonly<Record<string, string>>
}

/**
 * Makes a preset: the policies, set in advance. What a client asks for beside it goes option by option before the preset's
 * own; `false` takes a policy out.
 */
export function preset({ name, why, timeoutMs, policies, reasons }: PresetInit): Preset {
  const slots = policyStack.map(({ role, why: place, create }): StackSlot<PolicyOptions> => {
    const reason = reasons[role]
    return {
      role,
      why: reason === undefined ? place : `${place}; ${reason}`,
      create: (options, deps) => create(merged(options, policies), deps),
    }
  })
  return Object.freeze({ name, why, timeoutMs, slots: Object.freeze(slots) })
}

function merged(given: PolicyOptions, defaults: PresetPolicies): PolicyOptions {
  const policies: Record<string, unknown> = { ...given }
  for (const [name, value] of Object.entries(defaults)) {
    policies[name] =
      typeof value === 'object' ? withDefaults(policies[name] as object, value) : (policies[name] ?? value)
  }
  return policies
}

/** For calls that somebody waits for. */
export const standard: Preset = preset({
  name: 'standard',
  why: 'calls that somebody waits for: an answer within seconds, or a quick and honest failure',
  timeoutMs: 5_000,
  policies: { attemptTimeoutMs: 2_000, retry: { attempts: 3, baseMs: 50, maxMs: 1_000 }, breaker: {} },
  reasons: {
    retry:
      'three attempts cure what a moment cures; what lasts longer is the breaker’s, and the budget bounds the load',
    breaker: 'with half of at least 20 calls failing, asking on helps neither side',
    timeout: 'two attempts fit into the time of the call, so that a stalled one does not use up all of it',
  },
})

/** For reads whose slowest answers matter. */
export const hedged: Preset = preset({
  name: 'hedged',
  why: 'idempotent reads from several instances, where the slowest answers matter: one slow instance is outrun, not waited for',
  timeoutMs: 2_000,
  policies: { attemptTimeoutMs: 1_000, retry: { attempts: 2, baseMs: 25, maxMs: 250 }, hedge: {}, breaker: {} },
  reasons: {
    retry: 'one more attempt for failures; slowness is the hedge’s',
    hedge: 'a second attempt for those slower than most, so that it adds a few percent of load and no more',
    timeout: 'a read that is not there within a second is not waited for',
  },
})

/** For work that nobody waits for. */
export const background: Preset = preset({
  name: 'background',
  why: 'calls of jobs and message handlers: they may wait, and must not crowd out the calls that somebody waits for',
  timeoutMs: 120_000,
  policies: {
    attemptTimeoutMs: 30_000,
    retry: { attempts: 5, baseMs: 500, maxMs: 15_000 },
    bulkhead: { concurrency: 8, queue: 1_000, queueTimeoutMs: 60_000 },
    breaker: { openMs: 10_000, openMsMax: 60_000 },
  },
  reasons: {
    bulkhead: 'a handful at a time, and the rest in line: a backlog must not take all connections',
    retry: 'long waits, because nobody is waiting and the callee may need them',
    breaker: 'stays open longer: there is no hurry to find out',
    timeout: 'a slow answer is as good as a fast one, but a lost one has to end',
  },
})
