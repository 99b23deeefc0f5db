import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { certificateRemedy, PosthasteError } from '@posthaste/contracts'
import { type LinkAddress, urlOf } from '../connection/address.ts'
import type { DialTls } from '../connection/options.ts'
import type { Pipe } from '../connection/pipe.ts'
import { socketPipe } from '../connection/socket-pipe.ts'
import { alpnProtocol } from '../wire/constants.ts'

/** What becomes of an attempt to connect; one of the two is called once. */
export interface Connecting {
  connected(pipe: Pipe): void
  failed(error: PosthasteError): void
}

/**
 * Connects a socket to a server.
 * @returns gives the attempt up; nothing is told then
 */
export function connect(address: LinkAddress, tls: DialTls | undefined, outcome: Connecting): () => void {
  const url = urlOf(address)
  const socket = socketTo(address, tls)
  socket.setNoDelay(true)
  const onError = (error: Error): void => {
    settle()
    socket.on('error', () => {})
    socket.destroy()
    outcome.failed(connectError(url, error))
  }
  const onClose = (): void => onError(new Error('the server closed the connection'))
  const onConnect = (): void => {
    if (address.kind === 'tls' && (socket as TLSSocket).alpnProtocol !== alpnProtocol) {
      onError(new Error('the server speaks TLS, but not link'))
      return
    }
    settle()
    outcome.connected(socketPipe(socket, url))
  }
  const event = address.kind === 'tls' ? 'secureConnect' : 'connect'
  const settle = (): void => {
    socket.off('error', onError).off('close', onClose).off(event, onConnect)
  }
  socket.on('error', onError).on('close', onClose).on(event, onConnect)
  return () => {
    settle()
    socket.on('error', () => {})
    socket.destroy()
  }
}

function socketTo(address: LinkAddress, tls: DialTls | undefined): Socket {
  if (address.kind === 'unix') return connectTcp({ path: address.path })
  const { host, port } = address
  if (address.kind === 'tcp') return connectTcp({ host, port })
  const servername = tls?.serverName ?? (isIP(host) === 0 ? host : undefined)
  return connectTls({
    host,
    port,
    ALPNProtocols: [alpnProtocol],
    rejectUnauthorized: true,
    ...(servername === undefined ? {} : { servername }),
    ...(tls?.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls?.cert === undefined ? {} : { cert: tls.cert }),
    ...(tls?.key === undefined ? {} : { key: tls.key }),
  })
}

function connectError(url: string, cause: Error): PosthasteError {
  const remedy = certificateRemedy(cause) ?? 'See that the server runs, and that the url is right.'
  return new PosthasteError('UNAVAILABLE', `cannot connect to ${url}: ${cause.message}`, {
    cause,
    remedy,
    notSent: true,
  })
}
