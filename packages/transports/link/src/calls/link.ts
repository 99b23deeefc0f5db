import { PosthasteError, type ServedMethod, type ServerTransport, type TransportHost } from '@posthaste/contracts'
import type { LinkListener } from '../connection/options.ts'
import { listen } from '../server/listen.ts'
import { builtIn, describeMethod, healthMethod } from './built-in.ts'
import { endpointsOf } from './endpoint.ts'
import { contentTypesOf } from './formats.ts'
import { checkServer, type LinkOptions, messageBytesMaxDefault } from './options.ts'
import { acceptorOf } from './serving.ts'
import { authenticateBy } from './tokens.ts'

/**
 * Serves every method over link: one multiplexed connection for each client, over TCP, TLS or a Unix socket, with unary
 * calls and streams in both directions. Listens on loopback unless told otherwise, and bounds everything a client can send
 * or leave waiting.
 *
 * Handlers learn who calls by the headers `link-user` and `link-certificate` (its common name), which no client can send.
 * A client that gives up, or whose connection is lost, cancels its calls. `posthaste.Link/health` and
 * `posthaste.Link/describe` are served beside the application's own; `authorize` is asked about the latter, too.
 *
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function link(options: LinkOptions = {}): ServerTransport {
  return new LinkTransport(options)
}

class LinkTransport implements ServerTransport {
  readonly name = 'link'
  readonly streams = true
  readonly #options: LinkOptions
  #listening: Promise<LinkListener> | undefined

  constructor(options: LinkOptions) {
    checkServer(options)
    this.#options = options
  }

  async start(methods: readonly ServedMethod[], host: TransportHost): Promise<readonly string[]> {
    if (this.#listening !== undefined)
      throw new PosthasteError('CONFIG_INVALID', 'this link transport listens already', {
        remedy: 'Make one transport per application.',
      })
    this.#listening = this.#listen(methods, host)
    try {
      const { url } = await this.#listening
      return [url]
    } catch (error) {
      this.#listening = undefined
      throw error
    }
  }

  async stop(graceMs: number): Promise<void> {
    const listening = this.#listening
    const listener = await listening?.catch(() => undefined)
    await listener?.drain(graceMs)
    if (this.#listening === listening) this.#listening = undefined
  }

  async #listen(methods: readonly ServedMethod[], host: TransportHost): Promise<LinkListener> {
    refuseOwnName(methods)
    const { codecs = [], tokens, authorize, ...options } = this.#options
    const { messageBytesMax = messageBytesMaxDefault } = options
    const of = { log: host.log, messageBytesMax }
    const endpoints = endpointsOf([...methods, describeMethod(methods)], codecs, of)
    const accept = acceptorOf({
      ...of,
      endpoints,
      builtIn: endpointsOf([healthMethod(host.health)], codecs, of),
      authorize,
    })
    const formats = [...endpoints.values()].map((endpoint) => [...endpoint.formats.values()])
    const authenticate = tokens === undefined ? options.authenticate : authenticateBy(tokens)
    return listen({ ...options, codecs: contentTypesOf(formats), authenticate }, accept, host)
  }
}

function refuseOwnName(methods: readonly ServedMethod[]): void {
  if (!methods.some(({ service }) => service === builtIn.name)) return
  throw new PosthasteError('CONTRACT_DUPLICATE', `'${builtIn.name}' is what link itself serves`)
}
