import type { EngineCapabilities } from '@posthaste/contracts'

/** What the embedded engine can do. */
export const capabilities: EngineCapabilities = Object.freeze({
  durability: 'disk',
  bodyBytesMax: 64 * 1024 * 1024,
  headerBytesMax: 32 * 1024,
  keyOrder: 'engine',
  holdKey: 'native',
  delay: 'native',
  delayPrecisionMs: 20,
  atomicSettle: 'native',
  groupAddress: 'native',
  attempts: 'exact',
  history: 'native',
  priorityLevels: 10,
  filter: 'native',
  patterns: 'native',
  temporaryGroups: 'native',
  deduplicateForMsMax: 30 * 24 * 3_600_000,
  leaseMs: Number.POSITIVE_INFINITY,
  unsettledMsMax: Number.POSITIVE_INFINITY,
  unsettledMax: 100_000,
})
