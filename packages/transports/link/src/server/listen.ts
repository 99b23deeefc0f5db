import { createServer as createTcpServer, type Server } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { PosthasteError } from '@posthaste/contracts'
import { type LinkAddress, urlOf } from '../connection/address.ts'
import type { LinkHost, LinkListener, ListenOptions, ListenTls } from '../connection/options.ts'
import type { StreamAcceptor } from '../connection/types.ts'
import { alpnProtocol } from '../wire/constants.ts'
import { listenSettings } from './listen-options.ts'
import { Listener } from './listener.ts'
import { clearSocketFile, restrictSocketFile } from './unix-socket.ts'

/**
 * Listens for clients, whose streams are handed to `accept`.
 * @throws CONFIG_INVALID listing every wrong or unknown option; UNAVAILABLE when the address cannot be bound; CONFLICT when
 *   another server has the Unix socket
 */
export async function listen(options: ListenOptions, accept: StreamAcceptor, host: LinkHost): Promise<LinkListener> {
  const settings = listenSettings(options)
  const { address, tls, limits } = settings
  if (address.kind === 'unix') await clearSocketFile(address.path)
  const server = address.kind === 'tls' ? tlsServer(tls as ListenTls, limits.handshakeMs) : createTcpServer(tcpOptions)
  const listener = new Listener({ settings, accept, host, server })
  const bound = await bind(server, address)
  if (address.kind === 'unix') restrictSocketFile(address.path, settings.mode)
  listener.url = urlOf(bound)
  return listener
}

const tcpOptions = { noDelay: true } as const

function tlsServer({ key, cert, ca, clientCertificate }: ListenTls, handshakeTimeout: number): Server {
  const asked = clientCertificate ?? (ca === undefined ? 'none' : 'required')
  try {
    return createTlsServer({
      ...tcpOptions,
      key,
      cert,
      ...(ca === undefined ? {} : { ca }),
      handshakeTimeout,
      requestCert: asked !== 'none',
      rejectUnauthorized: asked === 'required',
      ALPNProtocols: [alpnProtocol],
    })
  } catch (cause) {
    throw new PosthasteError('CONFIG_INVALID', `tls: ${(cause as Error).message}`, {
      cause,
      remedy: 'Give key, cert and ca as PEM texts that fit each other.',
      issues: [{ path: 'tls', message: (cause as Error).message }],
    })
  }
}

/** Returns the address with the port that was found. */
function bind(server: Server, address: LinkAddress): Promise<LinkAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const what = `cannot listen on ${urlOf(address)}: ${cause.message}`
      reject(new PosthasteError('UNAVAILABLE', what, { cause, remedy: 'Choose an address that is free and yours.' }))
    })
    server.listen(address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port }, () => {
      const bound = server.address()
      const port = typeof bound === 'object' && bound !== null ? bound.port : 0
      resolve(address.kind === 'unix' ? address : { ...address, port })
    })
  })
}
