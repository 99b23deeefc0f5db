import type { Engine, EngineCapabilities } from '@posthaste/contracts'
import type { BrokerConfig } from '../config/config.ts'

/** How much later something may come because of the way. */
const wayMs = 30

/** What clients can do: what the engine can, but for functions, which do not travel, and what the configuration narrows. */
export function capabilitiesOf(engine: Engine, { limits }: BrokerConfig): EngineCapabilities {
  const { capabilities } = engine
  return {
    ...capabilities,
    bodyBytesMax: Math.min(capabilities.bodyBytesMax, limits.bodyBytesMax),
    delayPrecisionMs: capabilities.delayPrecisionMs + wayMs,
    filter: 'none',
  }
}
