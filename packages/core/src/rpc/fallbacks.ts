import {
  type Issue,
  isStreaming,
  type MaybePromise,
  type MethodContract,
  type MethodInput,
  type MethodOutput,
  type Methods,
  PosthasteError,
  type ServiceContract,
  type StreamOf,
} from '@posthaste/contracts'
import { refuseOptions } from '../pipeline/options.ts'
import type { FallbackOptions } from '../resilience/fallback/fallback.ts'

/** What is answered in place of one method that failed: what a function answers, or as the options of a fallback say. */
export type MethodFallback<M extends MethodContract> =
  | FallbackAnswer<MethodInput<M>, MethodOutput<M>>
  | MethodFallbackOptions<MethodInput<M>, MethodOutput<M>>

type FallbackAnswer<Input, Output> = (input: Input, error: PosthasteError) => MaybePromise<Output>

/** The options of a fallback in the types of a method. */
export interface MethodFallbackOptions<Input, Output> extends Pick<FallbackOptions, 'lastGood' | 'when'> {
  /** Makes the answer; may throw when it has none either. */
  readonly answer?: FallbackAnswer<Input, Output> | undefined
  /** The answer, the same to all calls: must be treated as immutable. */
  readonly value?: Output | undefined
}

/** Answers in place of a callee that failed, by method. Nothing can stand for a stream. */
export type Fallbacks<M extends Methods> = {
  readonly [K in keyof M]?:
    | (M[K]['input'] extends StreamOf ? never : M[K]['output'] extends StreamOf ? never : MethodFallback<M[K]>)
    | undefined
}

/** The same without its types. */
export type AnyFallback = FallbackAnswer<unknown, unknown> | MethodFallbackOptions<unknown, unknown>

/** @throws CONFIG_INVALID listing every fallback that is none, or for no method of the service, or for one with a stream */
export function checkFallbacks(what: string, service: ServiceContract, fallbacks: object = {}): void {
  const mistakes = Object.entries(fallbacks).flatMap(([method, given]): Issue[] => {
    const path = `${what}.fallback.${method}`
    if (!Object.hasOwn(service.methods, method)) {
      return [{ path, message: `is not a method; there are ${Object.keys(service.methods).join(', ')}` }]
    }
    if (given !== undefined && isStreaming(service.methods[method]!))
      return [{ path, message: 'is for a method with a stream, which nothing can stand for' }]
    const isFallback =
      given === undefined || typeof given === 'function' || (typeof given === 'object' && given !== null)
    return isFallback
      ? []
      : [{ path, message: 'must be a function of the input and the error, or options of a fallback' }]
  })
  refuseOptions(mistakes)
}

/** A method's fallback as the filter takes it: the answer is asked with the input, and with an error of ours. */
export function fallbackOf(given: AnyFallback | undefined): FallbackOptions | undefined {
  if (given === undefined) return undefined
  const { answer, ...options } = typeof given === 'function' ? { answer: given } : given
  if (typeof answer !== 'function') return { ...options, answer }
  return {
    ...options,
    answer: (call, thrown) => answer(call.payload, PosthasteError.from(thrown, 'INTERNAL', call.target)),
  }
}
