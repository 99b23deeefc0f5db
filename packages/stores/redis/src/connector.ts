import { connect as connectTcp } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import { AbstractConnector } from 'ioredis'

interface Address {
  readonly host: string
  readonly port: number
  readonly tls?: ConnectionOptions | undefined
}

/** What is still to be sent has this long until a connection that was given up is destroyed. */
const farewellMs = 2_000

/**
 * Makes sockets for the client. Its own hears the first error of a socket only, so that a second one ends the process
 * (as after a handshake that both sides refuse), and leaves a timer behind when it closes what is closed.
 */
export class Connector extends AbstractConnector {
  readonly #address: Address

  constructor(options: unknown) {
    super(farewellMs)
    this.#address = options as Address
  }

  async connect() {
    this.connecting = true
    const { host, port, tls } = this.#address
    const stream = tls === undefined ? connectTcp({ host, port }) : connectTls({ host, port, ...tls })
    stream.on('error', (error) => {
      this.firstError ??= error
    })
    this.stream = stream
    return stream
  }

  override disconnect(): void {
    this.connecting = false
    const { stream } = this
    if (stream === undefined || stream.destroyed) return
    super.disconnect()
    stream.destroySoon()
  }
}
