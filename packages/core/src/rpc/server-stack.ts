import { isStream, type MethodContract } from '@posthaste/contracts'
import type { StackSlot } from '../pipeline/stack.ts'
import { validation } from '../pipeline/validation.ts'
import { bulkhead } from '../resilience/bulkhead/bulkhead.ts'
import { chaos } from '../resilience/chaos/chaos.ts'
import { concurrencyLimit } from '../resilience/concurrency/concurrency-limit.ts'
import { type IdempotencyOptions, idempotency } from '../resilience/idempotency/idempotency.ts'
import { filterOf, type Policy } from '../resilience/policies/policy.ts'
import type { PolicyOptions } from '../resilience/policies/policy-stack.ts'
import { rateLimit } from '../resilience/rate-limit/rate-limit.ts'
import { type SheddingOptions, shedding } from '../resilience/shedding/shedding.ts'
import { deadline } from '../resilience/time/deadline.ts'
import { outputCheck } from './checks.ts'
import { inputItemsValidation, outputItemsCheck } from './streams/item-checks.ts'

/** Policies around served methods: one of each for the whole service, so that they bound what it has under way. */
export interface ServerPolicies extends Pick<PolicyOptions, 'rateLimit' | 'concurrencyLimit' | 'bulkhead' | 'chaos'> {
  /** Lets the most urgent calls go first, and turns away those that would wait in vain. */
  readonly shedding?: Policy<SheddingOptions>
  /** Does what has the same `idempotency-key` once. */
  readonly idempotency?: Policy<IdempotencyOptions>
}

/** What the stack of a served method is made from. */
export interface ServerStackOptions extends ServerPolicies {
  readonly contract: MethodContract
  /** Most milliseconds a call may take, whatever its caller would wait; undefined for as long as the caller does. */
  readonly timeoutMs: number | undefined
}

/** Policies that a service has once for all its methods. */
export const ofTheService: ReadonlySet<string> = new Set([
  ...['shedding', 'rateLimit', 'concurrencyLimit', 'bulkhead', 'idempotency'],
])

/** What stands around every handler of a served method, outermost first. Edit it by role with `ServeOptions.stack`. */
export const serverStack: readonly StackSlot<ServerStackOptions>[] = [
  {
    role: 'deadline',
    why: 'outermost: checking a large input and a large output is part of the time the caller waits',
    create: ({ timeoutMs }, deps) => deadline({ timeoutMs }, deps),
  },
  {
    role: 'shedding',
    why: 'outside of all other work: of calls that cannot all be done, the least urgent and the oldest go first, and cost nothing else',
    create: ({ shedding: policy }, deps) => filterOf('shedding', policy, (options) => shedding(options, deps)),
  },
  {
    role: 'rateLimit',
    why: 'outside of the bulkhead: a call that comes too often is to take no place',
    create: ({ rateLimit: policy }, deps) => filterOf('rateLimit', policy, (options) => rateLimit(options, deps)),
  },
  {
    role: 'concurrencyLimit',
    why: 'outside of the bulkhead, which bounds what it lets through; outside of the validation: a refusal costs no more than that',
    create: ({ concurrencyLimit: policy }, deps) =>
      filterOf('concurrencyLimit', policy, (options) => concurrencyLimit(options, deps)),
  },
  {
    role: 'bulkhead',
    why: 'outside of the validation: a call that is turned away costs no more than that',
    create: ({ bulkhead: policy }, deps) => filterOf('bulkhead', policy, (options) => bulkhead(options, deps)),
  },
  {
    role: 'validation',
    why: 'outside of whatever the application adds, so that only what the contract allows is seen, counted or repeated',
    create: ({ contract: { input } }) => (isStream(input) ? inputItemsValidation(input.stream) : validation(input)),
  },
  {
    role: 'idempotency',
    why: 'inside of the validation, so that a key stands for an input that is right; outside of the output, so that what is kept is what was answered',
    create: ({ idempotency: policy }, deps) => filterOf('idempotency', policy, (options) => idempotency(options, deps)),
  },
  {
    role: 'chaos',
    why: 'inside of all that must cope with it: to them a fault that is injected is one of the handler',
    create: ({ chaos: policy }, deps) => filterOf('chaos', policy, (options) => chaos(options, deps)),
  },
  {
    role: 'output',
    why: 'innermost, around the handler alone: an answer that breaks the contract is the handler’s failure, for all filters',
    create: ({ contract: { output } }) => (isStream(output) ? outputItemsCheck(output.stream) : outputCheck(output)),
  },
]
