import { PosthasteError } from '@posthaste/contracts'
import type { IncomingStream, LinkStream, StreamAcceptor, StreamSink } from '../connection/types.ts'
import type { Authorize, Endpoint, EndpointHost } from './endpoint.ts'
import { StreamServing } from './stream-serving.ts'
import { UnaryServing } from './unary-serving.ts'

/** What is served, and to whom. */
export interface Serving extends EndpointHost {
  readonly endpoints: ReadonlyMap<string, Endpoint>
  /** Methods of the transport itself, which need no permission. */
  readonly builtIn: ReadonlyMap<string, Endpoint>
  readonly authorize: Authorize | undefined
}

/** Takes the streams of clients to the methods they name. */
export function acceptorOf(serving: Serving): StreamAcceptor {
  return (opening: IncomingStream, stream: LinkStream): StreamSink => {
    const endpoint = endpointOf(serving, opening)
    if (endpoint.takesStream || endpoint.answersStream) return new StreamServing(endpoint, opening, stream)
    return new UnaryServing(endpoint, opening, stream)
  }
}

function endpointOf(serving: Serving, opening: IncomingStream): Endpoint {
  const endpoint = serving.endpoints.get(opening.method)
  if (endpoint !== undefined) {
    if (serving.authorize !== undefined) admit(serving, endpoint, opening)
    return endpoint
  }
  const builtIn = serving.builtIn.get(opening.method)
  if (builtIn !== undefined) return builtIn
  throw new PosthasteError('UNIMPLEMENTED', `nobody serves '${opening.method}' here`)
}

/** Whoever cannot tell whether a call is allowed has not allowed it. */
function admit({ authorize, log }: Serving, { served, target }: Endpoint, { peer }: IncomingStream): void {
  if (isAllowed(authorize as Authorize, { peer, served, target, log })) return
  const who = peer.user === undefined ? 'this client' : `'${peer.user}'`
  throw new PosthasteError('PERMISSION_DENIED', `${who} may not call '${target}'`)
}

interface Question {
  readonly peer: IncomingStream['peer']
  readonly served: Endpoint['served']
  readonly target: string
  readonly log: Serving['log']
}

function isAllowed(authorize: Authorize, { peer, served, target, log }: Question): boolean {
  try {
    // Nothing but true is a permission: a promise, for one, is not.
    return authorize(peer, { service: served.service, method: served.method }) === true
  } catch (error) {
    if (PosthasteError.is(error)) throw error
    log.error('authorize failed; the call was refused', { target, error })
    return false
  }
}
