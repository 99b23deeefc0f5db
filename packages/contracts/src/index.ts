/**
 * The nouns of Posthaste, the interfaces that outsiders implement, and the error codes. Read in this order: `contract`
 * (what users declare), `call` and `filter` (what happens to one unit of work), `engine` and `transport` (what carries it),
 * `envelope` (what a message is to other systems).
 */

// For users.
export type { Call, CallChange, CallKind, Cancellation, Headers, MaybePromise } from './call.ts'
export type { Codec } from './codec.ts'
export { type ErrorCode, type ErrorCodeEntry, errorCodes, isErrorCode } from './codes.ts'
export {
  type CommandContract,
  type CommandOptions,
  command,
  type DataIn,
  type DataOut,
  type EventContract,
  type EventOptions,
  type EventPattern,
  event,
  events,
  type HandlerInput,
  type HandlerOutput,
  type HttpRoute,
  type KeyOf,
  type MessageContract,
  type MessageOptions,
  type MethodContract,
  type MethodInput,
  type MethodOutput,
  type Methods,
  type ParsedRoute,
  type ReplyIn,
  type ReplyOut,
  type RequestContract,
  type Retention,
  routeOf,
  type ServiceContract,
  type StreamOf,
  service,
  stream,
  type Upcasters,
} from './contract.ts'
export {
  ignore,
  type Issue,
  PosthasteError,
  type PosthasteErrorOptions,
  type RetryRequest,
  reject,
  retryLater,
} from './error.ts'
export type { Filter, FilterDescription, Service } from './filter.ts'
export type { InputOf, OutputOf, Schema, SchemaIssue, SchemaResult } from './schema.ts'
export { type Verdict, verdictOf } from './verdict.ts'

// For authors of engines, transports, gateways and tools.
export type { EngineCapabilities, Support } from './capabilities.ts'
export type { Clock, Log, LogFields, Timer } from './clock.ts'
export { type CloudEvent, type EnvelopeExtensions, validateEnvelope } from './envelope.ts'
export { type BinaryMessage, fromBinary, type ReceivedHeaders, toBinary } from './envelope-http.ts'
export {
  contentModeOf,
  fromBatch,
  fromStructured,
  type StructuredMessage,
  toBatch,
  toStructured,
} from './envelope-json.ts'
export {
  type AckSettlement,
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type ChannelSpec,
  type Delivery,
  type DeliverySink,
  type DeliveryTag,
  type Engine,
  type EngineHost,
  type EngineState,
  type EngineSubscription,
  type GroupSpec,
  type HeaderMatch,
  type KeyRangeControl,
  type KeyRangeSink,
  type Lag,
  type LagReading,
  type Move,
  type OutgoingRecord,
  type Outcome,
  type PatternGroupSpec,
  type Patterns,
  type PreparedName,
  type PreparedRecord,
  type Preparing,
  type RecordFilter,
  type RecordMatch,
  type ReleaseSettlement,
  type Scheduling,
  type Seeking,
  type SeekTarget,
  type Settlement,
  type SubscriptionSpec,
  succeeded,
  type Topology,
  type TopologyDrift,
  type TopologyReport,
} from './engine.ts'
export type { BlobStore, InboxEntry, InboxResult, InboxStore } from './stores.ts'
export type {
  CalledMethod,
  ClientTransport,
  IncomingCall,
  OutgoingCall,
  RunningCall,
  ServedMethod,
  ServerTransport,
  TransportHost,
} from './transport.ts'
