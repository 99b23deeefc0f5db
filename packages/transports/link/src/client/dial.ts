import { PosthasteError } from '@posthaste/contracts'
import type { DialOptions, LinkDialer, LinkHost } from '../connection/options.ts'

/** Connects to a server at first use. To be filled. */
export function dial(options: DialOptions, host: LinkHost): LinkDialer {
  throw new PosthasteError('UNIMPLEMENTED', `not written yet ${typeof options} ${typeof host}`)
}
