import type { DurableEngine } from './durable-engine.ts'
import { EmbeddedEngine } from './engine.ts'
import { checkOptions, type EmbeddedOptions } from './options.ts'

/**
 * The durable engine inside the process: a confirmed publish is on disk, and state, cursors and timers change in one
 * transaction with it. One process owns the directory; the file system must be local.
 *
 * @throws CONFIG_INVALID when an option is wrong or unknown
 * @see http://www.lmdb.tech/doc/
 */
export function embedded(options: EmbeddedOptions): DurableEngine {
  return new EmbeddedEngine(checkOptions(options))
}
