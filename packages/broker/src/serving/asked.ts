import type { Grants } from '../access/grants.ts'
import type { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'

/** Who asks, and of what. */
export interface Asked {
  readonly grants: Grants
  /** There for what is remembered with a session. */
  readonly session: () => Session
  readonly around: Surroundings
}
