import type { Clock, Log } from '@posthaste/contracts'
import type { BrokerConfig } from '../config/config.ts'

/** What a broker is given of its surroundings; all of it has defaults. */
export interface BrokerHost {
  readonly clock?: Clock | undefined
  readonly log?: Log | undefined
  readonly random?: (() => number) | undefined
}

/** A broker that runs. */
export interface Broker {
  /** Where it can be reached, with the ports that it got. */
  readonly urls: readonly string[]
  /** Where health is told: `http://127.0.0.1:7421`; undefined: nowhere. */
  readonly healthUrl: string | undefined
  figures(): BrokerFigures
  /** Resolves with the cause when it has failed and cannot go on by itself: a disk that is full, above all. */
  readonly failed: Promise<Error>
  /**
   * Ends in order: takes nothing new, lets clients end what they do within `drainMs` of the configuration and hands back
   * the rest, which counts as no attempt. Idempotent; a second call ends it at once.
   */
  stop(): Promise<void>
}

/** What a broker is doing, at this moment and since its start. */
export interface BrokerFigures {
  readonly state: 'starting' | 'ready' | 'draining' | 'failed'
  readonly connections: number
  readonly sessions: number
  readonly subscriptions: number
  /** Records since the start. */
  readonly published: number
  readonly delivered: number
  readonly settled: number
}

/** Starts a broker: opens its data, and listens. @throws CONFIG_INVALID ENGINE_LOCKED ENGINE_FORMAT ENGINE_CORRUPT UNAVAILABLE */
export function startBroker(_config: BrokerConfig, _host: BrokerHost = {}): Promise<Broker> {
  throw new Error('to come')
}
