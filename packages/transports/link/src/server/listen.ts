import { PosthasteError } from '@posthaste/contracts'
import type { LinkHost, LinkListener, ListenOptions } from '../connection/options.ts'
import type { StreamAcceptor } from '../connection/types.ts'

/** Listens for clients. To be filled. */
export async function listen(options: ListenOptions, accept: StreamAcceptor, host: LinkHost): Promise<LinkListener> {
  throw new PosthasteError('UNIMPLEMENTED', `not written yet ${typeof options} ${typeof accept} ${typeof host}`)
}
