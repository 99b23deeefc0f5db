/**
 * The nouns of Posthaste, the interfaces that outsiders implement, and the error codes. Read in this order: `contract`
 * (what users declare), `call` and `filter` (what happens to one unit of work), `engine` and `transport` (what carries it),
 * `envelope` (what a message is to other systems).
 */

// For users.
export type { Call, CallChange, CallKind, CallOverrides, Cancellation, Headers, MaybePromise } from './call.ts'
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
  isStream,
  isStreaming,
  type KeyOf,
  type MessageContract,
  type MessageOptions,
  type MethodContract,
  type MethodFormat,
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
  type StreamSource,
  schemaOf,
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
export type { Filter, FilterDescription, FilterEvent, FilterSnapshot, Service } from './filter.ts'
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
export type {
  AckSettlement,
  Delivery,
  DeliverySink,
  DeliveryTag,
  Engine,
  EngineHost,
  EngineState,
  EngineSubscription,
  HeaderMatch,
  KeyRangeControl,
  KeyRangeSink,
  Note,
  NoteChange,
  RecordFilter,
  ReleaseSettlement,
  Settlement,
  SubscriptionSpec,
} from './engine.ts'
export { keyRangeOf } from './key-range.ts'
export { hasLongNumber } from './long-number.ts'
export { type Outcome, type OutgoingRecord, succeeded } from './record.ts'
export { RenewingMap } from './renewing-map.ts'
export { SerialTable } from './serial-table.ts'
export { certificateRemedy, isDecodable, tlsIssues } from './server-check.ts'
export type { ChannelSpec, GroupSpec, Topology, TopologyDrift, TopologyReport } from './topology.ts'
export {
  channelDrift,
  checkPattern,
  checkTopology,
  lifetimeDrift,
  patternMatcher,
  type TopologyCheck,
} from './topology-check.ts'
export type {
  BrowsedRecord,
  BrowsePage,
  BrowseQuery,
  Browsing,
  Lag,
  LagReading,
  ListedGroup,
  Listing,
  Move,
  PatternGroupSpec,
  Patterns,
  PreparedName,
  PreparedRecord,
  Preparing,
  RecordMatch,
  Scheduling,
  Seeking,
  SeekTarget,
} from './engine-abilities.ts'
export type {
  BlobStore,
  IdempotencyClaim,
  IdempotencyState,
  IdempotencyStore,
  InboxEntry,
  InboxResult,
  InboxStore,
  RateDecision,
  RateLimit,
  RateLimitStore,
} from './stores.ts'
export type {
  AnswerSink,
  CalledMethod,
  ClientTransport,
  ClientTransportHost,
  IncomingCall,
  OutgoingCall,
  RunningCall,
  ServedMethod,
  ServerTransport,
  TransportHost,
} from './transport.ts'
