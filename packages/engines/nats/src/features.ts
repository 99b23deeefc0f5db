import type { EngineCapabilities } from '@posthaste/contracts'

/** A server's version, as far as it matters. */
export interface ServerVersion {
  readonly major: number
  readonly minor: number
}

/** What a server can do that others cannot. */
export interface ServerFeatures {
  /** A consumer may have several subjects (2.10). */
  readonly severalFilters: boolean
  /** What a consumer is given back while only requests of former readers wait is not counted as fresh again (2.10). */
  readonly ignoresFormerReaders: boolean
  /** What the server answers about a stream says what time it is there (2.10). */
  readonly tellsTime: boolean
  /** The server itself publishes a message later (2.12). */
  readonly schedules: boolean
}

export function featuresOf({ major, minor }: ServerVersion): ServerFeatures {
  const since = (wanted: number): boolean => major > 2 || (major === 2 && minor >= wanted)
  return {
    severalFilters: since(10),
    ignoresFormerReaders: since(10),
    tellsTime: since(10),
    schedules: since(12),
  }
}

/** The server keeps the length of all headers of a message in 16 bits. */
export const headerWireBytesMax = 65_535

/** Leaves room for percent-encoding, which makes three bytes of one, and for what the engine adds. */
const headerBytesMax = 16_384

/** Largest ordering key, in bytes of UTF-8, as `OutgoingRecord.key` has it. */
export const keyBytesMax = 1_024

const dayMs = 86_400_000

/** What the engine can do on a server with this largest payload. */
export function capabilitiesOf(payloadBytesMax: number, leaseMs: number): EngineCapabilities {
  return Object.freeze({
    durability: 'disk',
    bodyBytesMax: payloadBytesMax - headerWireBytesMax,
    headerBytesMax,
    keyOrder: 'partitions',
    holdKey: 'none',
    delay: 'native',
    delayPrecisionMs: 1_000,
    atomicSettle: 'none',
    groupAddress: 'native',
    attempts: 'exact',
    history: 'native',
    priorityLevels: 1,
    filter: 'none',
    patterns: 'none',
    temporaryGroups: 'native',
    deduplicateForMsMax: 7 * dayMs,
    leaseMs,
    unsettledMsMax: Number.POSITIVE_INFINITY,
    unsettledMax: Number.POSITIVE_INFINITY,
  })
}

/** The default of NATS servers, declared until the server has told its own. */
export const defaultPayloadBytesMax = 1_048_576
