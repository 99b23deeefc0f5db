import type { Call, ClientTransport, PosthasteError } from '@posthaste/contracts'
import type { FilterDeps } from '../pipeline/stack.ts'
import type { OpenStreams } from './streams/open-streams.ts'

/** What calling needs of its host. */
export interface ClientHost extends Omit<FilterDeps, 'target'> {
  readonly newId: () => string
  /** Carries the calls of clients that bring no transport. */
  readonly local: ClientTransport
  /** Why no calls can be made just now; undefined while they can. */
  readonly refusal: () => PosthasteError | undefined
}

/** What serving needs of its host. */
export interface ServeHost<C> extends Omit<FilterDeps, 'target'> {
  /** Makes ids for requests that come without one. */
  readonly newId: () => string
  /** Makes what a handler is given beside its input. */
  readonly context: (call: Call) => C
  /** Keeps the calls with streams that are under way. */
  readonly open: OpenStreams
}
