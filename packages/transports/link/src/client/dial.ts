import type { DialOptions, LinkDialer, LinkHost } from '../connection/options.ts'
import { dialSettings } from './dial-options.ts'
import { Dialer } from './dialer.ts'

/**
 * A client's connection to one server: made at first use, kept alive, and made anew when it is lost.
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function dial(options: DialOptions, host: LinkHost): LinkDialer {
  return new Dialer(dialSettings(options), host)
}
