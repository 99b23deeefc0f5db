import { type MaybePromise, type MethodContract, PosthasteError, type Schema } from '@posthaste/contracts'
import type { StackSlot } from '../pipeline/stack.ts'
import { type BreakerOptions, breaker } from '../resilience/breaker/breaker.ts'
import { fallback } from '../resilience/fallback/fallback.ts'
import { type RetryOptions, retry } from '../resilience/retry/retry.ts'
import type { RetryBudget } from '../resilience/retry/retry-budget.ts'
import { deadline } from '../resilience/time/deadline.ts'
import { timeout } from '../resilience/time/timeout.ts'
import { inputCheck, outputCheck } from './checks.ts'

/** What the stack of a client's method is made from. */
export interface ClientStackOptions {
  readonly contract: MethodContract
  readonly attemptTimeoutMs: number | undefined
  readonly retry: RetryOptions | undefined
  /** One for all methods of the client. */
  readonly budget: RetryBudget
  readonly breaker: BreakerOptions | undefined
  /** Answers in place of the callee. */
  readonly fallback: ((input: unknown, error: PosthasteError) => MaybePromise<unknown>) | undefined
  /** Whether answers come from outside the process, so that nobody has checked them here yet. */
  readonly remote: boolean
}

/** What stands around every call of a client, outermost first. Edit it by role with `ClientOptions.stack`. */
export const clientStack: readonly StackSlot<ClientStackOptions>[] = [
  {
    role: 'validation',
    why: 'outermost: a call that breaks its contract is the caller’s mistake, which no fallback may cover up and no breaker count',
    create: ({ contract }) => inputCheck(contract.input),
  },
  {
    role: 'fallback',
    why: 'outside of everything that can still save the call, the deadline included: it answers for whatever could not be saved',
    create: ({ fallback: answer }, deps) =>
      answer &&
      fallback(
        { answer: (call, thrown) => answer(call.payload, PosthasteError.from(thrown, 'INTERNAL', call.target)) },
        deps,
      ),
  },
  {
    role: 'deadline',
    why: 'outside of the retry: all attempts and the waits between them share the time the caller has',
    create: (_, deps) => deadline({}, deps),
  },
  {
    role: 'retry',
    why: 'outside of breaker and timeout: each attempt is asked for, counted and timed by itself',
    create: ({ retry: options, budget }, deps) => options && retry({ budget, ...options }, deps),
  },
  {
    role: 'breaker',
    why: 'outside of the timeout: an attempt that takes too long must count against the callee',
    create: ({ breaker: options }, deps) => options && breaker(options, deps),
  },
  {
    role: 'timeout',
    why: 'right around one attempt: no more than that may be cancelled when its time is up',
    create: ({ attemptTimeoutMs }, deps) =>
      attemptTimeoutMs === undefined ? undefined : timeout({ timeoutMs: attemptTimeoutMs }, deps),
  },
  {
    role: 'output',
    why: 'innermost: an answer that breaks the contract is a failure of the callee, for retry, breaker and fallback alike',
    create: ({ contract, remote }) => (remote ? outputCheck(contract.output as Schema) : undefined),
  },
]
