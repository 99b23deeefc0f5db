import type { Engine } from '@posthaste/contracts'

/** The engine as an application has it: with what the core adds to it. */
export function completed(engine: Engine): Engine {
  return engine
}
