import type { EngineCapabilities } from '@posthaste/contracts'
import type { Settings } from './options.ts'

/** Largest body, in bytes: what RabbitMQ 4 takes unless it is told otherwise. */
export const bodyBytesMax = 16_777_216
/** Largest total of header names and values, in bytes: with their prefixes and lengths they must fit into one frame. */
export const headerBytesMax = 32_768
/** Largest ordering key, in bytes of UTF-8. */
export const keyBytesMax = 1_024

/** What the engine can do, on every version of the server that it takes. */
export function capabilitiesOf({ consumerTimeoutMs }: Settings): EngineCapabilities {
  return Object.freeze({
    // A confirmed record is on the disks of most members of its quorum queue, on the one disk where there is one.
    durability: 'disk',
    bodyBytesMax,
    headerBytesMax,
    keyOrder: 'partitions',
    holdKey: 'none',
    delay: 'native',
    delayPrecisionMs: 100,
    atomicSettle: 'none',
    groupAddress: 'native',
    attempts: 'exact',
    history: 'none',
    priorityLevels: 1,
    filter: 'none',
    patterns: 'none',
    temporaryGroups: 'native',
    deduplicateForMsMax: 0,
    leaseMs: Number.POSITIVE_INFINITY,
    unsettledMsMax: consumerTimeoutMs,
    // What a channel of the protocol may have unacknowledged.
    unsettledMax: 65_535,
  })
}
