/** What applications are written with. Begin with `posthaste()`. */

// Contracts.
export {
  type Codec,
  type CommandContract,
  command,
  type DataIn,
  type DataOut,
  type ErrorCode,
  type EventContract,
  type EventPattern,
  event,
  events,
  type HandlerInput,
  type HandlerOutput,
  type HttpRoute,
  type InputOf,
  type Issue,
  ignore,
  type MessageContract,
  type MethodContract,
  type MethodInput,
  type MethodOutput,
  type Methods,
  type OutputOf,
  PosthasteError,
  type PosthasteErrorOptions,
  type Retention,
  type ReplyIn,
  type ReplyOut,
  type RequestContract,
  reject,
  retryLater,
  type Schema,
  type ServiceContract,
  type StreamOf,
  type StreamSource,
  service,
  stream,
  type Verdict,
} from '@posthaste/contracts'
// What an application is made of.
export type {
  BlobStore,
  ClientTransport,
  Clock,
  Engine,
  InboxStore,
  Log,
  LogFields,
  ServerTransport,
} from '@posthaste/contracts'
// Messages.
export type { ClaimCheckOptions } from '../bus/bodies/claim-check.ts'
export type { Lag, SeekTarget } from '@posthaste/contracts'
export type { Administration } from '../bus/administration/administration.ts'
export type { BrowsedMessage, BrowseOptions, MessagePage } from '../bus/administration/browsing.ts'
export type { GroupControl, PauseOptions } from '../bus/administration/group-control.ts'
export type { DeadLettersOf } from '../bus/administration/naming.ts'
export type {
  BatchAnswer,
  BatchContext,
  BatchHandler,
  BatchMessage,
  BatchOutcome,
} from '../bus/consuming/batch-message.ts'
export type { DeliveryLevel, InboxOptions } from '../bus/consuming/delivery.ts'
export type { ErrorRule } from '../bus/consuming/error-rules.ts'
export { type MemoryInboxOptions, memoryInbox } from '../bus/consuming/memory-inbox.ts'
export type { HandlerAnswer, MessageHandler, Subscribing } from '../bus/consuming/subscribing.ts'
export type { SubscriptionFilter } from '../bus/filtering/filter.ts'
export type { Resolution, UnresolvedMessage } from '../bus/publishing/preparing/check-back.ts'
export type { Preparation } from '../bus/publishing/preparing/decisions.ts'
export type { PrepareOptions, UnresolvedOptions } from '../bus/publishing/preparing/options.ts'
export type {
  PreparedMessage,
  PreparedMessages,
  Preparing,
  UnresolvedHandler,
} from '../bus/publishing/preparing/preparing.ts'
export type { RequestOptions } from '../bus/publishing/requesting/options.ts'
export type { Requesting, RequestStats } from '../bus/publishing/requesting/requesting.ts'
export type { RecurrenceOptions } from '../bus/publishing/recurring/recurrence.ts'
export type { Recurring } from '../bus/publishing/recurring/recurring.ts'
export type { Publishing, PublishResult } from '../bus/publishing/publishing.ts'
export type { MessageContext, Receipt } from '../bus/consuming/context.ts'
export type { DeadLetterPage, DeadLetters } from '../bus/dead-letters/dead-letters.ts'
export type { RedriveFailure, RedriveReport } from '../bus/dead-letters/redrive.ts'
export type {
  DeadLetterQuery,
  DeadLetterWhere,
  RedriveOptions,
  RedriveProgress,
  RedriveSelection,
} from '../bus/dead-letters/selection.ts'
export type { DeadLetter } from '../bus/dead-letters/dead-letter.ts'
export type {
  BatchHandlerOptions,
  BatchOptions,
  BatchSubscribeOptions,
  HandlerOptions,
  SubscribeOptions,
} from '../bus/consuming/options.ts'
export type { PublishAllOptions, PublishOptions, ScheduleOptions } from '../bus/publishing/publish-options.ts'
// Calls.
export type { Client } from '../rpc/client.ts'
export type { CallOptions, StreamCallOptions } from '../rpc/call-options.ts'
export type { ClientOptions } from '../rpc/client-options.ts'
export type { ServeOptions, ServiceHandlers } from '../rpc/serve.ts'
// The application.
export type { App, AppDescription, AppSnapshot } from './app.ts'
export type { CallContext } from './call-context.ts'
export { type ConsoleLogOptions, consoleLog, type LogLevel } from './console-log.ts'
export type { EngineHealth, Health } from './health.ts'
export type { AppState } from './life-cycle.ts'
export type { AppOptions } from './options.ts'
export { posthaste } from './posthaste.ts'
