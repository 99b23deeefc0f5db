import { type API, Connection, type ConnectionOptions, type Reader, Writer } from '@platformatic/kafka'
import { ConnectionError } from './errors.ts'
import type { BrokerAddress } from './options.ts'
import { ByteReader } from './wire/bytes.ts'
import type { Request } from './wire/request.ts'

/**
 * One connection to one broker for one purpose: a broker answers the requests of a connection one after the other, so what
 * waits for records must not stand before what must be quick. Connects when it is needed, and again after it broke.
 */
export class Lane {
  readonly #address: BrokerAddress
  readonly #clientId: string
  readonly #options: ConnectionOptions
  #connecting: Promise<Connection> | undefined
  #connection: Connection | undefined
  #closed = false
  /** Told once for each connection that broke by itself. */
  onBroken: ((cause: Error) => void) | undefined

  constructor(address: BrokerAddress, clientId: string, options: ConnectionOptions) {
    this.#address = address
    this.#clientId = clientId
    this.#options = options
  }

  /** Sends one of the engine's own requests. Requests are sent in the order of the calls while it is connected. */
  async send<Answer>(request: Request<Answer>): Promise<Answer> {
    const connection = this.#connection ?? (await this.connect())
    return new Promise((resolve, reject) => {
      connection.send(
        request.key,
        request.version,
        () => Writer.create().append(request.write()),
        (...[, , , reader]: [number, number, number, Reader]) => request.read(new ByteReader(remaining(reader))),
        true,
        true,
        (error: Error | null, answer?: Answer) => (error ? reject(asBroken(error)) : resolve(answer as Answer)),
      )
    })
  }

  /** Sends a request that the client has an encoder for. */
  async call<Arguments extends unknown[], Answer>(api: API<Arguments, Answer>, ...args: Arguments): Promise<Answer> {
    const connection = this.#connection ?? (await this.connect())
    try {
      return await api.async(connection, ...args)
    } catch (error) {
      throw asBroken(error)
    }
  }

  /** @throws ConnectionError when the broker cannot be reached, or does not let us in */
  connect(): Promise<Connection> {
    if (this.#closed) return Promise.reject(new ConnectionError('the connection is closed'))
    this.#connecting ??= this.#connect()
    return this.#connecting
  }

  async #connect(): Promise<Connection> {
    const connection = new Connection(this.#clientId, this.#options)
    const { host, port } = this.#address
    const broken = (cause: Error) => {
      if (this.#connection !== connection) return
      this.#connection = undefined
      this.#connecting = undefined
      if (!this.#closed) this.onBroken?.(cause)
    }
    connection.on('error', broken)
    connection.on('close', () => broken(new ConnectionError(`the connection to ${host}:${port} was closed`)))
    try {
      await connection.connect(host, port)
    } catch (error) {
      this.#connecting = undefined
      throw asBroken(error)
    }
    if (this.#closed) {
      end(connection)
      throw new ConnectionError('the connection is closed')
    }
    this.#connection = connection
    return connection
  }

  /** Ends it at once; what waits for an answer fails. */
  close(): void {
    this.#closed = true
    this.break()
  }

  /** Ends the connection, as if it had broken: the next request makes another. */
  break(): void {
    const connection = this.#connection
    this.#connection = undefined
    this.#connecting = undefined
    if (connection !== undefined) end(connection)
  }
}

function end(connection: Connection): void {
  connection.socket?.destroy()
}

function remaining(reader: Reader): Buffer {
  return reader.buffer.subarray(reader.position).buffer as Buffer
}

function asBroken(thrown: unknown): unknown {
  const { code } = thrown as { readonly code?: unknown }
  const lost = ['PLT_KFK_NETWORK', 'PLT_KFK_TIMEOUT', 'PLT_KFK_UNEXPECTED_CORRELATION_ID'].includes(String(code))
  if (!lost || thrown instanceof ConnectionError) return thrown
  return new ConnectionError(thrown instanceof Error ? thrown.message : String(thrown), { cause: thrown })
}
