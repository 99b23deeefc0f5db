/** What clients of a broker and the broker share: the names of streams, and what is said on them. */

export { type Parcel, packParcel, readParcel } from './calls.ts'
export {
  type DeliveryView,
  DeliveryWriter,
  fromBroker,
  fromClient,
  ReceivedDelivery,
  readDeliveries,
  readSettlements,
  runsOf,
  SettlementWriter,
  type SubscribeBeginning,
} from './consuming.ts'
export { readFailures, receivedError, type SentError, sentError, writeOutcomes } from './errors.ts'
export { type CallName, callNames, methodOf, sessionHeader, streams } from './methods.ts'
export { patient } from './patient-clock.ts'
export type { SentPrepared, SentPreparedQuery } from './preparing.ts'
export {
  BatchWriter,
  batchesUnderWayMax,
  type PublishBeginning,
  type PublishBegun,
  readBatch,
} from './publishing.ts'
export { malformed, Reader } from './reader.ts'
export { RecordReader, RecordWriter } from './record-codec.ts'
export {
  type BrokerClient,
  receivedCapabilities,
  type SentCapabilities,
  type SessionBeginning,
  type SessionBegun,
  type SessionNews,
  sentCapabilities,
} from './session.ts'
export { commonVersion, incompatible, protocolVersions } from './version.ts'
export type { WatchBeginning, WatchNews } from './watching.ts'
export { Writer } from './writer.ts'
