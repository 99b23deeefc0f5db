import type { Headers } from '@posthaste/contracts'
import type { Peer } from '../connection/types.ts'

/** Carries the request's id. Names that begin with a colon are the transport's: no caller can send one. */
const idName = ':id'

/** Headers of this prefix are set by the server's transport alone. */
const ownPrefix = 'link-'

/** What the call goes out with: the caller's headers, and the request's id. */
export function metadataOf(headers: Headers, id: string | undefined): Headers {
  const metadata: Record<string, string> = id === undefined ? {} : { [idName]: id }
  for (const name in headers) if (!isOurs(name)) metadata[name] = headers[name]!
  return metadata
}

/** What came in with a call. */
export interface Received {
  readonly id: string | undefined
  readonly headers: Headers
}

const noHeaders: Headers = Object.freeze({})

/**
 * The request's id, and the headers as handlers see them: what only the transport may say is dropped where the client
 * said it, and said where it is known. Hot path: a call without headers costs no object of them.
 */
export function receivedOf(metadata: Headers, peer: Peer): Received {
  const id = idOf(metadata[idName])
  let headers: Record<string, string> | undefined
  for (const name in metadata) {
    if (isOurs(name)) continue
    headers ??= {}
    headers[name] = metadata[name]!
  }
  if (peer.user !== undefined) {
    headers ??= {}
    headers['link-user'] = peer.user
  }
  if (peer.certificate !== undefined) {
    headers ??= {}
    headers['link-certificate'] = peer.certificate.commonName
  }
  return { id, headers: headers ?? noHeaders }
}

function isOurs(name: string): boolean {
  return name.charCodeAt(0) === colon || name.startsWith(ownPrefix)
}

const colon = 0x3a

/** An id that is long or odd is replaced, not refused: it stands in logs, and no call should fail over it. */
function idOf(given: string | undefined): string | undefined {
  return given !== undefined && /^[\w.:/+=@~-]{1,128}$/.test(given) ? given : undefined
}
