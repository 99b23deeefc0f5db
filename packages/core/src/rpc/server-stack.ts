import type { MethodContract, Schema } from '@posthaste/contracts'
import type { StackSlot } from '../pipeline/stack.ts'
import { validation } from '../pipeline/validation.ts'
import { deadline } from '../resilience/time/deadline.ts'
import { outputCheck } from './checks.ts'

/** What the stack of a served method is made from. */
export interface ServerStackOptions {
  readonly contract: MethodContract
  /** Most milliseconds a call may take, whatever its caller would wait. */
  readonly timeoutMs: number
}

/** What stands around every handler of a served method, outermost first. Edit it by role with `ServeOptions.stack`. */
export const serverStack: readonly StackSlot<ServerStackOptions>[] = [
  {
    role: 'deadline',
    why: 'outermost: checking a large input and a large output is part of the time the caller waits',
    create: ({ timeoutMs }, deps) => deadline({ timeoutMs }, deps),
  },
  {
    role: 'validation',
    why: 'outside of whatever the application adds, so that only what the contract allows is seen, counted or repeated',
    create: ({ contract }) => validation(contract.input),
  },
  {
    role: 'output',
    why: 'innermost, around the handler alone: an answer that breaks the contract is the handler’s failure, for all filters',
    create: ({ contract }) => outputCheck(contract.output as Schema),
  },
]
