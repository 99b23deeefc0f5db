import type { Clock, Log, MaybePromise } from '@posthaste/contracts'
import type { LinkStream, OutgoingStream, PeerCertificateInfo, StreamSink } from './types.ts'

/** What a listener or a dialer is given to live on. */
export interface LinkHost {
  readonly clock: Clock
  readonly log: Log
  /** Uniform in [0, 1), for the jitter of reconnects; 0.5 always where absent. */
  readonly random?: (() => number) | undefined
}

/**
 * Bounds on whatever the other side controls, checked all at once. Both roles have them; those that say so hold on servers
 * alone.
 */
export interface LinkLimits {
  /** Largest payload of a frame taken, 16 KiB to 16 MiB - 1. Default: 128 KiB. */
  readonly frameBytesMax?: number | undefined
  /** Largest message taken, put together from its pieces, 1 KiB to 1 GiB. Default: 16 MiB. */
  readonly messageBytesMax?: number | undefined
  /** Names and values of one metadata block, 1 to 64 KiB, at most a frame. Default: 16 KiB. */
  readonly metadataBytesMax?: number | undefined
  /** Credit of a new stream, 16 KiB to 1 GiB. Default: 256 KiB. */
  readonly streamWindow?: number | undefined
  /** Credit of a new connection, at least that of a stream, to 1 GiB. Default: 4 MiB. */
  readonly connectionWindow?: number | undefined
  /** Messages of one connection that are still being put together, in bytes; at least one message. Default: 64 MiB. */
  readonly unfinishedBytesMax?: number | undefined
  /**
   * Messages of one connection that sinks have taken but not consumed, in bytes, before the whole connection waits for
   * them, 64 KiB to 4 GiB. Default: 16 MiB.
   */
  readonly unconsumedBytesMax?: number | undefined
  /** Messages that wait to be sent to one peer, in bytes, at least one message; beyond, its streams fail with OVERLOADED. Default: 64 MiB. */
  readonly unsentBytesMax?: number | undefined
  /** Silence after which a PING is sent, 100 ms to 1 h. A server tells its clients. Default: 10 s. */
  readonly keepaliveMs?: number | undefined
  /** How long the answer to that PING is waited for, 100 ms to 1 h. Default: 5 s. */
  readonly keepaliveTimeoutMs?: number | undefined
  /** From the connect to the end of both HELLOs, 100 ms to 10 min. Default: 5 s. */
  readonly handshakeMs?: number | undefined
  /** How long a frame may be on its way, and how long a peer may read nothing of what waits for it. Default: 30 s. */
  readonly stallMs?: number | undefined
  /** Servers: streams of one connection, those included whose work goes on after a cancellation, 1 to 1,000,000. Default: 4,096. */
  readonly streamsMax?: number | undefined
  /** Servers: connections, 1 to 1,000,000. Default: 10,000. */
  readonly connectionsMax?: number | undefined
  /** Servers: connections that nobody has been made out for yet; beyond, the oldest of them goes. Default: 256. */
  readonly handshakesMax?: number | undefined
  /** Servers: cancellations within 10 s beyond half of the streams opened before a client is sent away. Default: 1,000. */
  readonly cancelsMax?: number | undefined
  /** Servers: PINGs within 10 s without a stream's frame between them before a client is sent away. Default: 100. */
  readonly pingsMax?: number | undefined
}

/** What a server learns of a client before it decides about it. */
export interface LinkCredentials {
  /** What the client said; compare it with {@link isSameToken}. */
  readonly token: string | undefined
  /** Of the certificate that the client showed, verified against `tls.ca`. */
  readonly certificate: PeerCertificateInfo | undefined
  /** Remote address; empty for Unix sockets. */
  readonly address: string
}

/** Who a client is. */
export interface LinkIdentity {
  readonly user: string
  /** Whatever is decided by later: kept with the connection as `Peer.grants`. */
  readonly grants?: unknown
}

/** Keys of a server, as PEM. */
export interface ListenTls {
  readonly key: string
  readonly cert: string
  /** Who signs the certificates of clients. */
  readonly ca?: string | undefined
  /** Whether clients must show a certificate that `ca` has signed. Default: `required` with `ca`, else `none`. */
  readonly clientCertificate?: 'none' | 'optional' | 'required' | undefined
}

/** Where a server listens, to whom, and with which bounds. */
export interface ListenOptions extends LinkLimits {
  /** `link://host:port`, `links://host:port` (needs `tls`) or `link+unix:///path`; instead of `host`, `port` and `path`. */
  readonly url?: string | undefined
  /** Default: `127.0.0.1`. */
  readonly host?: string | undefined
  /** 0 for any that is free. Default: 7420. */
  readonly port?: number | undefined
  /** Path of a Unix socket, at most 100 bytes. A file left by a server that is gone is replaced. */
  readonly path?: string | undefined
  /** Mode of the Unix socket's file. Default: 0o600. */
  readonly mode?: number | undefined
  readonly tls?: ListenTls | undefined
  /** Content types of messages, 1 to 255, best first. */
  readonly codecs: readonly string[]
  /** Whether clients may be asked to compress; `aboveBytes` says from which size. Default: false; 1,024 bytes. */
  readonly compression?: boolean | { readonly aboveBytes?: number | undefined } | undefined
  /**
   * Decides who a client is; one of whom it says nothing is not let in. Without it everybody is, and `Peer.user` is the
   * certificate's common name, if any.
   * @throws UNAUTHENTICATED, or any other `PosthasteError`, which the client is told
   */
  readonly authenticate?: ((credentials: LinkCredentials) => MaybePromise<LinkIdentity>) | undefined
  /** What the server calls itself, for logs on the other side. Default: `posthaste`. */
  readonly agent?: string | undefined
}

/** A server that listens. */
export interface LinkListener {
  /** Where, with the port that was found; what {@link DialOptions} takes. */
  readonly url: string
  /** Clients that are connected and let in. */
  readonly connections: number
  /**
   * Takes no new connections and streams, tells all clients to go elsewhere, waits up to `graceMs` for the streams that
   * run, fails the rest with UNAVAILABLE, and closes. Idempotent: a later call may shorten the grace.
   */
  drain(graceMs: number): Promise<void>
}

/** How a client proves who the server is and who it is itself, as PEM. */
export interface DialTls {
  /** Who signs the server's certificate; the system's authorities where absent. */
  readonly ca?: string | undefined
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Name the server's certificate must have, where it is not the host of the url. */
  readonly serverName?: string | undefined
}

/** Which server, as whom, and with which bounds. */
export interface DialOptions extends LinkLimits {
  /** `link://host:port`, `links://host:port` (TLS) or `link+unix:///path`. The port defaults to 7420. */
  readonly url: string
  readonly tls?: DialTls | undefined
  /** Shown to the server. A function is asked at each connect. */
  readonly token?: string | (() => MaybePromise<string>) | undefined
  /** Whether messages may be compressed, where the server wants it. Default: true. */
  readonly compression?: boolean | undefined
  /** Streams that wait for a connection or for a place on it, 0 to 1,000,000; beyond, OVERLOADED. Default: 10,000. */
  readonly waitingMax?: number | undefined
  /** How long streams wait for the next connection after a server said that it goes, in milliseconds. Default: 5 s. */
  readonly handoverMs?: number | undefined
  /** First wait before a reconnect; it doubles, with full jitter. Default: 50 ms. */
  readonly backoffMs?: number | undefined
  /** Longest wait before a reconnect. Default: 5 s. */
  readonly backoffMsMax?: number | undefined
  /** What the client calls itself, for logs on the other side. Default: `posthaste`. */
  readonly agent?: string | undefined
}

/** What a server said when it let a client in. */
export interface ServerTerms {
  readonly agent: string
  /** Content types a stream may have, the server's best first; `application/octet-stream` always works. */
  readonly codecs: readonly string[]
  /** How messages may be compressed, where both sides can. */
  readonly compression: 'gzip' | undefined
  /** From which size the server wants them compressed. */
  readonly compressAboveBytes: number
  /** Largest message that the server takes. */
  readonly messageBytesMax: number
  /** Largest metadata block that the server takes. */
  readonly metadataBytesMax: number
  /** Streams that one connection may have. */
  readonly streamsMax: number
}

/**
 * `idle`: nothing was asked yet. `connecting`: streams wait. `connected`. `lost`: it waits before the next attempt, and
 * streams fail at once with what went wrong, not sent. `closed`: for good.
 */
export type DialerState = 'idle' | 'connecting' | 'connected' | 'lost' | 'closed'

/** A client's connection to one server, made anew as often as necessary. */
export interface LinkDialer {
  /**
   * Opens a stream. It connects at first use; until there is a connection, and while a server goes away, streams wait in
   * a bounded queue. Never throws; what goes wrong arrives at the sink, never before `open` has returned.
   */
  open(stream: OutgoingStream, sink: StreamSink): LinkStream
  readonly state: DialerState
  /** What the server of the newest connection said; undefined before the first. */
  readonly terms: ServerTerms | undefined
  /** Calls `listener` at each change. @returns takes it back */
  onState(listener: (state: DialerState, cause: Error | undefined) => void): () => void
  /**
   * Connects, where that has not been done, and resolves when there is a connection.
   * @throws what went wrong with the attempt under way, or with the last one
   */
  ready(): Promise<void>
  /** Takes no new streams, waits up to `graceMs` (default: 0) for those that run, cancels the rest. Idempotent. */
  close(graceMs?: number): Promise<void>
}
