import type { EngineCapabilities } from '@posthaste/contracts'

/** Everything is native except durability: what is confirmed is in memory, and gone with the process. */
export const capabilities: EngineCapabilities = Object.freeze({
  durability: 'none',
  bodyBytesMax: 16_777_216,
  headerBytesMax: 65_536,
  keyOrder: 'engine',
  holdKey: 'native',
  delay: 'native',
  delayPrecisionMs: 10,
  atomicSettle: 'native',
  groupAddress: 'native',
  attempts: 'exact',
  history: 'native',
  priorityLevels: 10,
  filter: 'native',
  patterns: 'native',
  temporaryGroups: 'native',
  deduplicateForMsMax: 86_400_000,
  leaseMs: Number.POSITIVE_INFINITY,
  unsettledMsMax: Number.POSITIVE_INFINITY,
  unsettledMax: Number.POSITIVE_INFINITY,
})

/** Largest ordering key, in bytes of UTF-8, as `OutgoingRecord.key` has it. */
export const keyBytesMax = 1_024
