import type { EngineCapabilities } from '@posthaste/contracts'

/*
 * The stream `posthaste.broker/session`: a client's presence. Deliveries are held for the session, not for the connection:
 * one that is lost may be followed by another that goes on with the session.
 */

/** What a client begins the stream with. */
export interface SessionBeginning {
  /** The best that the client speaks; where it says no more, the only one. */
  readonly version: number
  /** All that it speaks, the best first. */
  readonly versions?: readonly number[] | undefined
  /** Chosen by the client, so that nobody else can guess it: 16 to 64 letters and digits. */
  readonly session: string
  /** It goes on with that session, if the broker still has it. */
  readonly resume: boolean
  /** One that the client has given up: what it has in hand is somebody else's at once. */
  readonly abandoned?: string | undefined
  /** Name of the process, for logs. */
  readonly instance: string
  /** How long the broker is to keep the session without a connection, in milliseconds. */
  readonly sessionMs: number
}

/** What the broker answers. */
export interface SessionBegun {
  /** What both speak from here on. Before version 2, nobody said so. */
  readonly version?: number | undefined
  /** Whether the session goes on; if not, it begins, and nothing of before stands. */
  readonly resumed: boolean
  /** The broker's clock. */
  readonly nowMs: number
  /** What it has been made of `sessionMs`. */
  readonly sessionMs: number
  readonly agent: string
  readonly capabilities: SentCapabilities
}

/** What is told later on the stream. */
export type SessionNews = { readonly draining: true }

/** A client, as the broker tells of it. */
export interface BrokerClient {
  /** Counts the clients since the broker was started. */
  readonly number: number
  readonly instance: string
  readonly user: string
  /** False while the broker waits for it to come back. */
  readonly isConnected: boolean
  readonly subscriptions: number
}

/** Capabilities, with null where JSON has no infinity. */
export type SentCapabilities = {
  readonly [Name in keyof EngineCapabilities]: EngineCapabilities[Name] | null
}

/** Capabilities as they travel. */
export function sentCapabilities(capabilities: EngineCapabilities): SentCapabilities {
  return JSON.parse(JSON.stringify(capabilities)) as SentCapabilities
}

/** Capabilities that have travelled. */
export function receivedCapabilities(sent: SentCapabilities): EngineCapabilities {
  const restored = Object.entries(sent).map(([name, value]) => [name, value ?? Number.POSITIVE_INFINITY])
  return Object.freeze(Object.fromEntries(restored)) as EngineCapabilities
}
