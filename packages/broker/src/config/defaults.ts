import type { BrokerConfig, BrokerLimits, UserLimits } from './config.ts'

const mib = 1024 * 1024

/** What holds for so many connections where nobody says otherwise: a client that begins anew has two sessions for a while. */
export function perConnection(connectionsMax: number): Pick<BrokerLimits, 'sessionsMax' | 'subscriptionsMax'> {
  return { sessionsMax: 2 * connectionsMax, subscriptionsMax: 10 * connectionsMax }
}

const connectionsMax = 10_000

/** What holds where nobody says otherwise. */
export const limitDefaults: BrokerLimits = Object.freeze({
  connectionsMax,
  channelsMax: 10_000,
  groupsMax: 50_000,
  temporaryGroupsMax: 50_000,
  ...perConnection(connectionsMax),
  bytesInFlightMax: 64 * mib,
  bytesInHandMax: 32 * mib,
  bodyBytesMax: 8 * mib,
  sessionMsMax: 60_000,
})

/** Whole numbers that a limit may be. */
export const limitBounds: Readonly<Record<keyof BrokerLimits, readonly [least: number, most: number]>> = {
  connectionsMax: [1, 1_000_000],
  channelsMax: [1, 1_000_000],
  groupsMax: [1, 1_000_000],
  temporaryGroupsMax: [1, 1_000_000],
  sessionsMax: [1, 10_000_000],
  subscriptionsMax: [1, 10_000_000],
  bytesInFlightMax: [64 * 1024, 4 * 1024 * mib],
  bytesInHandMax: [64 * 1024, 4 * 1024 * mib],
  bodyBytesMax: [1024, 64 * mib],
  sessionMsMax: [100, 3_600_000],
}

/** The same for the limits of a user. */
export const userLimitBounds: Readonly<Record<keyof UserLimits, readonly [least: number, most: number]>> = {
  connectionsMax: limitBounds.connectionsMax,
  channelsMax: limitBounds.channelsMax,
  groupsMax: limitBounds.groupsMax,
  temporaryGroupsMax: limitBounds.temporaryGroupsMax,
  subscriptionsMax: limitBounds.subscriptionsMax,
  bytesInFlightMax: limitBounds.bytesInFlightMax,
  bytesInHandMax: limitBounds.bytesInHandMax,
  recordsPerSecondMax: [1, 100_000_000],
}

/** The configuration that is asked for nothing but a directory. */
export const defaults: Omit<BrokerConfig, 'dataDir' | 'snapshotsDir'> = Object.freeze({
  listen: ['link://127.0.0.1:7420'],
  tls: undefined,
  users: {},
  insecure: false,
  limits: limitDefaults,
  health: { host: '127.0.0.1', port: 7421 },
  drainMs: 10_000,
})
