import type { EngineCapabilities } from '@posthaste/contracts'
import type { Settings } from './options.ts'
import { windowMax } from './window.ts'

/** Largest ordering key, in bytes of UTF-8, as `OutgoingRecord.key` has it. */
export const keyBytesMax = 1_024
/** Largest headers of one record, in bytes. */
export const headerBytesMax = 65_536
/** What a record needs in a batch beside its body at most: headers with their prefixes, key, lengths, the batch itself. */
export const recordBytesBeside = 262_144
/** How late what is due comes on an idle server, in milliseconds. */
export const delayPrecisionMs = 250

/** What the engine does on Kafka. */
export function capabilitiesOf({ bodyBytesMax }: Settings): EngineCapabilities {
  return Object.freeze({
    durability: 'replicas',
    bodyBytesMax,
    headerBytesMax,
    keyOrder: 'partitions',
    holdKey: 'none',
    delay: 'native',
    delayPrecisionMs,
    atomicSettle: 'native',
    groupAddress: 'native',
    attempts: 'none',
    history: 'native',
    priorityLevels: 1,
    filter: 'none',
    patterns: 'none',
    temporaryGroups: 'native',
    deduplicateForMsMax: 0,
    leaseMs: Number.POSITIVE_INFINITY,
    unsettledMsMax: Number.POSITIVE_INFINITY,
    unsettledMax: windowMax,
  })
}
