/**
 * The messaging half of Posthaste: publishing, subscriptions, retries, order of keys, dead letters. Begin with `bus.ts`;
 * `consumer.ts` is where the guarantees are kept.
 */

export {
  type Bus,
  type BusOptions,
  type CloseOptions,
  createBus,
} from './bus.ts'
export { complete } from './completing/complete.ts'
export type { ClaimCheckOptions } from './bodies/claim-check.ts'
export type { Administration } from './administration/administration.ts'
export type { BrowsedMessage, BrowseOptions, MessagePage } from './administration/browsing.ts'
export type { GroupControl, PauseOptions } from './administration/group-control.ts'
export type { DeadLettersOf } from './administration/naming.ts'
export type {
  BatchAnswer,
  BatchContext,
  BatchHandler,
  BatchMessage,
  BatchOutcome,
} from './consuming/batch-message.ts'
export type { MessageBatch } from './consuming/batch.ts'
export type { DeliveryLevel, InboxOptions } from './consuming/delivery.ts'
export type { ErrorRule } from './consuming/error-rules.ts'
export { type MemoryInboxOptions, memoryInbox } from './consuming/memory-inbox.ts'
export type { HandlerAnswer, MessageHandler, Subscribing } from './consuming/subscribing.ts'
export type { SubscriptionFilter } from './filtering/filter.ts'
export type { Resolution, UnresolvedMessage } from './publishing/preparing/check-back.ts'
export type { Preparation } from './publishing/preparing/decisions.ts'
export type { PrepareOptions, UnresolvedOptions } from './publishing/preparing/options.ts'
export type {
  PreparedMessage,
  PreparedMessages,
  Preparing,
  UnresolvedHandler,
} from './publishing/preparing/preparing.ts'
export type { RequestOptions } from './publishing/requesting/options.ts'
export type { Requesting, RequestStats } from './publishing/requesting/requesting.ts'
export type { RecurrenceOptions } from './publishing/recurring/recurrence.ts'
export type { Recurring } from './publishing/recurring/recurring.ts'
export type { Publishing, PublishResult } from './publishing/publishing.ts'
export type { MessageContext, Receipt } from './consuming/context.ts'
export type { DeadLetterPage, DeadLetters } from './dead-letters/dead-letters.ts'
export type { RedriveFailure, RedriveReport } from './dead-letters/redrive.ts'
export type {
  DeadLetterQuery,
  DeadLetterWhere,
  RedriveOptions,
  RedriveProgress,
  RedriveSelection,
} from './dead-letters/selection.ts'
export type { DeadLetter } from './dead-letters/dead-letter.ts'
export type { Ladder, RetryLadder } from './consuming/ladder.ts'
export type {
  BatchHandlerOptions,
  BatchOptions,
  BatchSettings,
  BatchSubscribeOptions,
  HandlerOptions,
  SubscribeOptions,
} from './consuming/options.ts'
export type { PublishAllOptions, PublishOptions, ScheduleOptions } from './publishing/publish-options.ts'
export { type ConsumerStackOptions, consumerStack, type PublisherOptions, publisherStack } from './consuming/stacks.ts'
export type { SubscriptionCounters, SubscriptionStanding, SubscriptionStats } from './consuming/stats.ts'
export type { SubscriptionDescription, SubscriptionSnapshot } from './consuming/description.ts'
export type { Message } from './consuming/work.ts'
