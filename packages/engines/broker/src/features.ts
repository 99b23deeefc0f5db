import type { EngineCapabilities } from '@posthaste/contracts'

/** What a broker can do that nobody has asked yet; a broker may allow smaller bodies and fewer things in hand. */
export const promised: EngineCapabilities = Object.freeze({
  durability: 'disk',
  bodyBytesMax: 8 * 1024 * 1024,
  headerBytesMax: 32 * 1024,
  keyOrder: 'engine',
  holdKey: 'native',
  delay: 'native',
  delayPrecisionMs: 50,
  atomicSettle: 'native',
  groupAddress: 'native',
  attempts: 'exact',
  history: 'native',
  priorityLevels: 10,
  filter: 'none',
  patterns: 'native',
  temporaryGroups: 'native',
  deduplicateForMsMax: 30 * 24 * 3_600_000,
  leaseMs: Number.POSITIVE_INFINITY,
  unsettledMsMax: Number.POSITIVE_INFINITY,
  unsettledMax: 100_000,
})
