import type { Call, DataOut, EventPattern, MaybePromise, MessageContract, PosthasteError } from '@posthaste/contracts'
import { type ContextScope, HandlerContext, type MessageContext } from './context.ts'
import type { Work } from './work.ts'

/** One message of a batch: its data, and all that a handler of single messages knows and may do. */
export interface BatchMessage<Data = unknown> extends MessageContext {
  readonly data: Data
}

/** What became of one message of a batch: nothing for one that was handled, otherwise why not; its verdict counts. */
export type BatchOutcome = PosthasteError | undefined

/** What a handler knows about a batch as a whole. */
export interface BatchContext {
  /** Who handles it. */
  readonly group: string
  /** When the attempt's time is up, on the monotonic clock, in milliseconds; `Infinity` where it never is. */
  readonly deadlineAtMs: number
  /** Aborts when none of the batch is wanted any more: time is up, shutdown, all deliveries lost. */
  readonly signal: AbortSignal
}

/**
 * Does the work of several messages at once, of a key at most one. What it throws, or rejects with, is the failure of all
 * of them. It may answer an outcome for each instead, in the same order: those that failed are tried again by themselves.
 * What is published through a message's own context leaves with that message's acknowledgement.
 */
export type BatchHandler<C extends MessageContract | EventPattern> = BatchWork<C, void> | BatchWork<C, BatchAnswer>

/** What a handler of batches answers where not all of a batch was handled; undefined where it was. */
export type BatchAnswer = readonly BatchOutcome[] | PosthasteError | undefined

/** A handler of batches, by what it returns. */
type BatchWork<C extends MessageContract | EventPattern, Answer> = (
  messages: readonly BatchMessage<DataOut<C>>[],
  context: BatchContext,
) => MaybePromise<Answer>

/** A handler whose data type is known to its contract alone; `never`, so that nobody calls it without a cast. */
export type ErasedBatchHandler = (messages: never, context: BatchContext) => unknown

/** One message of a batch, in one attempt. */
export class ReceivedMessage extends HandlerContext implements BatchMessage {
  readonly data: unknown

  constructor(scope: ContextScope, work: Work, call: Call) {
    super(scope, work, call)
    this.data = work.data
  }
}
