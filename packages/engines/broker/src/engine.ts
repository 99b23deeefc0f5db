import type { Engine, Topology } from '@posthaste/contracts'
import { type BrokerOptions, checkOptions } from './options.ts'

/** An engine on a broker, with what only a broker can be asked. */
export interface BrokerEngine extends Engine {
  /** The channels and groups that there are, of those that this user may see. */
  topology(): Promise<Topology>
}

/**
 * The engine on a Posthaste broker: an embedded engine in a process of its own, which many processes reach over link. What is
 * confirmed is on its disk.
 * @throws CONFIG_INVALID listing every mistake
 */
export function broker(options: BrokerOptions | string): BrokerEngine {
  checkOptions(options)
  throw new Error('to come')
}
