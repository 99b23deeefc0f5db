/** Posthaste over link: calls and streams on one multiplexed connection. */
export type { Authorize } from './calls/endpoint.ts'
export type { LinkHealth, LinkMethod } from './calls/built-in.ts'
export { link } from './calls/link.ts'
export { type LinkClient, linkClient } from './calls/link-client.ts'
export type { LinkClientOptions, LinkOptions } from './calls/options.ts'
export type {
  DialOptions,
  DialTls,
  LinkCredentials,
  LinkHost,
  LinkIdentity,
  LinkLimits,
  ListenOptions,
  ListenTls,
} from './connection/options.ts'
export type { Peer, PeerCertificateInfo } from './connection/types.ts'
