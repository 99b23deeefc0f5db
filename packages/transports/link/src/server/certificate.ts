import type { TLSSocket } from 'node:tls'
import type { PeerCertificateInfo } from '../connection/types.ts'

/** What is told of the certificate that a client showed; undefined where it showed none, or one that is not trusted. */
export function certificateOf(socket: TLSSocket): PeerCertificateInfo | undefined {
  if (!socket.authorized) return undefined
  const { subject, fingerprint256 } = socket.getPeerCertificate()
  if (subject === undefined || fingerprint256 === undefined) return undefined
  const name: unknown = subject.CN
  // A subject may have several common names; the last one is the most specific.
  const commonName = Array.isArray(name) ? String(name.at(-1)) : String(name ?? '')
  return { commonName, fingerprint256 }
}
