export { dial } from '../client/dial.ts'
export { dialIssues } from '../client/dial-options.ts'
export { listen } from '../server/listen.ts'
export { listenIssues } from '../server/listen-options.ts'
export { isSameToken } from '../server/token.ts'
export type {
  DialerState,
  DialOptions,
  DialTls,
  LinkCredentials,
  LinkDialer,
  LinkHost,
  LinkIdentity,
  LinkLimits,
  LinkListener,
  ListenOptions,
  ListenTls,
  ServerTerms,
} from './options.ts'
export {
  compressedMessage,
  type IncomingStream,
  type LinkStream,
  lastMessage,
  type OutgoingStream,
  type Peer,
  type PeerCertificateInfo,
  type StreamAcceptor,
  type StreamOpening,
  type StreamSink,
} from './types.ts'
