import { isStream, type MethodContract } from '@posthaste/contracts'
import type { StackSlot } from '../pipeline/stack.ts'
import { type PolicyOptions, policyStack } from '../resilience/policies/policy-stack.ts'
import { inputCheck, outputCheck } from './checks.ts'
import { inputItemsCheck, outputItemsCheck } from './streams/item-checks.ts'

/** What the stack of a client's method is made from. */
export interface ClientStackOptions extends PolicyOptions {
  readonly contract: MethodContract
  /** Whether answers come from outside the process, so that nobody has checked them here yet. */
  readonly remote: boolean
}

const validationSlot: StackSlot<ClientStackOptions> = {
  role: 'validation',
  why: 'outermost: a call that breaks its contract is the caller’s mistake, which no fallback may cover up and no breaker count',
  create: ({ contract: { input } }) => (isStream(input) ? inputItemsCheck(input.stream) : inputCheck(input)),
}

const outputSlot: StackSlot<ClientStackOptions> = {
  role: 'output',
  why: 'innermost: an answer that breaks the contract is a failure of the callee, for retry, breaker and fallback alike',
  create({ contract: { output }, remote }) {
    if (!remote) return undefined
    return isStream(output) ? outputItemsCheck(output.stream) : outputCheck(output)
  },
}

/** What stands around every call of a client, outermost first. Edit it by role with `ClientOptions.stack`. */
export const clientStack: readonly StackSlot<ClientStackOptions>[] = clientStackOf(policyStack)

/** The same with the policies of a preset. */
export function clientStackOf(policies: readonly StackSlot<PolicyOptions>[]): readonly StackSlot<ClientStackOptions>[] {
  return [validationSlot, ...policies, outputSlot]
}

/** Policies that a client has once for all its methods: they bound what the client as a whole asks of the service. */
export const ofTheClient: ReadonlySet<string> = new Set(['rateLimit', 'concurrencyLimit', 'bulkhead'])
