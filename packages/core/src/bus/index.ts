/**
 * The messaging half of Posthaste: publishing, subscriptions, retries, order of keys, dead letters. Begin with `bus.ts`;
 * `consumer.ts` is where the guarantees are kept.
 */

export {
  type Bus,
  type BusOptions,
  type CloseOptions,
  createBus,
  type MessageHandler,
  type PublishResult,
} from './bus.ts'
export type { MessageContext, Receipt } from './context.ts'
export type {
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetters,
  RedriveFailure,
  RedriveReport,
  RedriveSelection,
} from './dead-letters.ts'
export type { DeadLetter } from './dead-letter.ts'
export type { Ladder, RetryLadder } from './ladder.ts'
export type { HandlerOptions, SubscribeOptions } from './options.ts'
export type { PublishAllOptions, PublishOptions, ScheduleOptions } from './publish-options.ts'
export { type ConsumerStackOptions, consumerStack, type PublisherOptions, publisherStack } from './stacks.ts'
export type { SubscriptionCounters, SubscriptionStanding, SubscriptionStats } from './stats.ts'
export type { SubscriptionDescription } from './subscription.ts'
export type { Message } from './work.ts'
