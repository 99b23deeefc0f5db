import type { EngineCapabilities } from '@posthaste/contracts'

const mebibyte = 1_048_576
const dayMs = 86_400_000

/** Largest ordering key, in bytes of UTF-8, as `OutgoingRecord.key` has it. */
export const keyBytesMax = 1_024

/** Most headers of one record: Lua passes them on as arguments, and has room for a few thousand. */
export const headersMax = 1_500

/** Most records in one call of the script, and about as many bytes: it keeps the server from everything else. */
export const batchMax = 1_000
export const batchBytesMax = 2 * mebibyte

/** What the engine can do; `durability` is what was found at the server. */
export const capabilitiesWith = (durability: EngineCapabilities['durability']): EngineCapabilities =>
  Object.freeze({
    durability,
    bodyBytesMax: 8 * mebibyte,
    headerBytesMax: 65_536,
    keyOrder: 'engine',
    holdKey: 'native',
    delay: 'native',
    delayPrecisionMs: 50,
    atomicSettle: 'native',
    groupAddress: 'native',
    attempts: 'exact',
    suspects: 'told',
    history: 'native',
    priorityLevels: 10,
    filter: 'none',
    patterns: 'native',
    temporaryGroups: 'native',
    deduplicateForMsMax: 30 * dayMs,
    leaseMs: Number.POSITIVE_INFINITY,
    unsettledMsMax: Number.POSITIVE_INFINITY,
    unsettledMax: 100_000,
  })
