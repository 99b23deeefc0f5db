import { PosthasteError, type ServedMethod, type ServerTransport, type TransportHost } from '@posthaste/contracts'
import { type HttpOptions, settingsOf } from './options.ts'
import { routesOf } from './routes.ts'
import { HttpServer } from './server.ts'

/**
 * Serves every method that has an `http:` route over HTTP/1.1, with JSON bodies and problem documents for failures.
 * Listens on loopback unless told otherwise, and bounds everything a client can send or leave waiting.
 *
 * The input of a method is made of its path parameters and, for `GET`, `HEAD` and `DELETE`, of the query string (a name
 * that repeats becomes an array); otherwise of the JSON body. A `GET` route answers `HEAD` as well.
 *
 * `x-request-timeout-ms` sets how long the client waits; `x-request-id` names the request and comes back with every
 * answer. A client that disconnects cancels its call. What is served may be started again after it was stopped.
 *
 * @throws CONFIG_INVALID listing every wrong or unknown option
 * @see https://www.rfc-editor.org/rfc/rfc9110 HTTP semantics
 * @see https://www.rfc-editor.org/rfc/rfc9457 problem documents
 */
export function http(options: HttpOptions = {}): ServerTransport {
  return new HttpTransport(options)
}

class HttpTransport implements ServerTransport {
  readonly name = 'http'
  readonly #options: ReturnType<typeof settingsOf>
  #server: HttpServer | undefined

  constructor(options: HttpOptions) {
    this.#options = settingsOf(options)
  }

  async start(methods: readonly ServedMethod[], host: TransportHost): Promise<readonly string[]> {
    if (this.#server !== undefined)
      throw new PosthasteError('CONFIG_INVALID', 'this http transport listens already', {
        remedy: 'Make one transport per application.',
      })
    const server = new HttpServer(this.#options, routesOf(methods, this.#options.healthPath), host)
    this.#server = server
    try {
      return [await server.listen()]
    } catch (error) {
      this.#server = undefined
      throw error
    }
  }

  async stop(graceMs: number): Promise<void> {
    const server = this.#server
    await server?.stop(graceMs)
    if (this.#server === server) this.#server = undefined
  }
}
