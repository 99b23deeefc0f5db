import {
  type CalledMethod,
  type Cancellation,
  type ClientTransport,
  type MaybePromise,
  type OutgoingCall,
  PosthasteError,
} from '@posthaste/contracts'
import { dial } from '../client/dial.ts'
import { asNotSent } from '../client/not-sent.ts'
import type { LinkDialer, LinkHost } from '../connection/options.ts'
import { builtInMethod, type LinkHealth, type LinkMethod } from './built-in.ts'
import { Callee, type CalleeHost } from './callee.ts'
import { checkClient, type LinkClientOptions, messageBytesMaxDefault } from './options.ts'
import { StreamCalling } from './stream-calling.ts'
import { systemHost } from './system-host.ts'
import { UnaryCalling } from './unary-calling.ts'

/** Carries calls over link, and asks servers about themselves. */
export interface LinkClient extends ClientTransport {
  /** Told the application's clock and log, before the first call; without, it uses the machine's clock and tells nothing. */
  open(host: LinkHost): void
  /**
   * Asks the server how it is, whoever it would let call what.
   * @throws UNAVAILABLE when it cannot be reached; UNAUTHENTICATED when it does not let this client in
   */
  health(): Promise<LinkHealth>
  /**
   * Asks the server what it serves.
   * @throws UNAVAILABLE, UNAUTHENTICATED; PERMISSION_DENIED when it does not tell this client
   */
  describe(): Promise<readonly LinkMethod[]>
}

/**
 * Carries the calls of clients to one server over link, on one connection: it is made at the first call, and made anew,
 * with backoff, for as long as calls come. While it is lost, calls fail at once with UNAVAILABLE, `notSent`, so that any of
 * them may be repeated; while a server goes away, those it has not looked at go to the next connection. Share one transport
 * among the clients of a server.
 *
 * @param target URL of the server, `link://host:port`, `links://host:port` (TLS) or `link+unix:///path`, or options with it
 * @throws CONFIG_INVALID listing every wrong or unknown option
 */
export function linkClient(target: string | LinkClientOptions): LinkClient {
  return new LinkClientTransport(typeof target === 'string' ? { url: target } : target)
}

class LinkClientTransport implements LinkClient {
  readonly name = 'link'
  readonly streams = true
  readonly failsTyped = true
  readonly #options: LinkClientOptions
  readonly #callees = new WeakMap<CalledMethod, Callee>()
  /** The method of the last call, which most often is that of the next: a look-up in a weak map costs a call 2 %. */
  #lastMethod: CalledMethod | undefined
  #lastCallee: Callee | undefined
  #linkHost: LinkHost = systemHost
  #host: CalleeHost | undefined
  #closed = false

  constructor(options: LinkClientOptions) {
    checkClient(options)
    this.#options = options
  }

  open(host: LinkHost): void {
    this.#linkHost = host
  }

  /** Hot path: what can be begun at once is. */
  call(method: CalledMethod, outgoing: OutgoingCall): MaybePromise<unknown> {
    const callee = method === this.#lastMethod ? (this.#lastCallee as Callee) : this.#calleeOf(method)
    const isUnary = !callee.takesStream && !callee.answersStream
    if (isUnary && !callee.mustAsk) return new UnaryCalling(callee, outgoing).answer
    return this.#connectAndCall(callee, outgoing, isUnary)
  }

  async health(): Promise<LinkHealth> {
    return (await this.call(builtInMethod('health'), plainCall)) as LinkHealth
  }

  async describe(): Promise<readonly LinkMethod[]> {
    const { methods } = (await this.call(builtInMethod('describe'), plainCall)) as { methods: readonly LinkMethod[] }
    return methods
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#host?.dialer.close()
  }

  async #connectAndCall(callee: Callee, outgoing: OutgoingCall, isUnary: boolean): Promise<unknown> {
    const { dialer } = callee.host
    if (dialer.state !== 'connected') await unlessCancelled(dialer.ready(), outgoing.cancellation)
    return isUnary ? new UnaryCalling(callee, outgoing).answer : new StreamCalling(callee, outgoing).answer
  }

  #calleeOf(method: CalledMethod): Callee {
    const callee = this.#callees.get(method) ?? new Callee(method, this.#options.codecs ?? [], this.#calleeHost())
    this.#callees.set(method, callee)
    this.#lastMethod = method
    this.#lastCallee = callee
    return callee
  }

  #calleeHost(): CalleeHost {
    if (this.#closed)
      throw new PosthasteError('UNAVAILABLE', 'this link client is closed', {
        remedy: 'Make a new one.',
        notSent: true,
      })
    const { codecs: _, ...options } = this.#options
    const { messageBytesMax = messageBytesMaxDefault } = options
    const dialer: LinkDialer = this.#host?.dialer ?? dial(options, this.#linkHost)
    this.#host ??= { dialer, messageBytesMax }
    return this.#host
  }
}

/** Waits for a connection, and no longer than the caller does. What keeps it from coming about has kept the call here. */
function unlessCancelled(ready: Promise<void>, cancellation: Cancellation): Promise<void> {
  return new Promise((resolve, reject) => {
    const leave = cancellation.onCancel(reject)
    ready.then(resolve, (error: PosthasteError) => reject(asNotSent(error))).finally(leave)
  })
}

const plainCall: OutgoingCall = {
  payload: undefined,
  headers: {},
  cancellation: { reason: undefined, onCancel: () => () => {}, signal: new AbortController().signal },
}
