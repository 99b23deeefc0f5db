import type { Rights } from '../access/rights.ts'

/** Everything about a broker that is decided before it starts; nothing is left open. */
export interface BrokerConfig {
  /** Directory of the data, an absolute path on a local file system; made if it does not exist. One broker owns it at a time. */
  readonly dataDir: string
  /** Where snapshots go that clients ask for, each in a directory of its own. */
  readonly snapshotsDir: string
  /** Where it listens: `link://host:port`, `links://host:port` (TLS) or `link+unix:///path`. Port 0 is any free one. */
  readonly listen: readonly string[]
  /** Needed for `links:`. */
  readonly tls: TlsConfig | undefined
  /** Who may connect, by name; empty: anybody who reaches it, with all rights. */
  readonly users: Readonly<Record<string, UserConfig>>
  /** Allows to listen beyond this machine without users, or without TLS. */
  readonly insecure: boolean
  readonly limits: BrokerLimits
  /** Where health is told over HTTP; undefined: nowhere. */
  readonly health: HealthConfig | undefined
  /** Milliseconds that clients have to end their work when the broker stops, 0 to 600,000. */
  readonly drainMs: number
}

/** The broker's certificate, and what it makes of those of clients. All are paths of PEM files. */
export interface TlsConfig {
  readonly certFile: string
  readonly keyFile: string
  /** The authorities that clients' certificates must be signed by. */
  readonly caFile: string | undefined
  /** `required`: nobody gets in without a certificate of `caFile`. `accepted`: it proves who one is, as a token does. */
  readonly clients: 'none' | 'accepted' | 'required'
}

/** Who somebody is, and what they may do. */
export interface UserConfig {
  /** What the token hashes to, as `hashToken` says it: `scrypt:…` or `sha256:…`; several while one is being replaced. */
  readonly tokens: readonly string[]
  /** Common names of certificates that prove to be this user. */
  readonly certificates: readonly string[]
  readonly rights: Rights
  /** Limits of this user alone, under those of the broker. */
  readonly limits: UserLimits
}

/** What one user, over all of its connections, may use; undefined: what the broker allows. */
export interface UserLimits {
  /** Clients: those that have a session. */
  readonly connectionsMax: number | undefined
  /** Channels that the user may make. */
  readonly channelsMax: number | undefined
  /** Groups that the user may make, those over patterns included. */
  readonly groupsMax: number | undefined
  /** Temporary groups that its clients may have at a time. */
  readonly temporaryGroupsMax: number | undefined
  /** Subscriptions, and watched patterns, that its clients may have at a time. */
  readonly subscriptionsMax: number | undefined
  /** Bytes of records that were sent and are not confirmed yet: beyond, the user is read no further. */
  readonly bytesInFlightMax: number | undefined
  /** Bytes of records that one subscription was handed and has not settled: beyond, it is handed nothing more. */
  readonly bytesInHandMax: number | undefined
  /** Records that are taken per second: beyond, the user is read later. */
  readonly recordsPerSecondMax: number | undefined
}

/** What all together may use. */
export interface BrokerLimits {
  readonly connectionsMax: number
  readonly channelsMax: number
  /** Groups that stay, those over patterns included. */
  readonly groupsMax: number
  readonly temporaryGroupsMax: number
  /** Clients, those included that have just lost their connection. */
  readonly sessionsMax: number
  /** Subscriptions and watched patterns. */
  readonly subscriptionsMax: number
  /** Of each user. */
  readonly bytesInFlightMax: number
  /** Of each subscription. */
  readonly bytesInHandMax: number
  /** Largest body of one record, in bytes. */
  readonly bodyBytesMax: number
  /** Longest time that a client may ask for until its deliveries are given to others, in milliseconds. */
  readonly sessionMsMax: number
}

/** The address of the endpoint for health; it knows no users, so it belongs on loopback. */
export interface HealthConfig {
  readonly host: string
  readonly port: number
}
