import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  type Clock,
  type Log,
  PosthasteError,
  type RunningCall,
  type ServedMethod,
  type TransportHost,
} from '@posthaste/contracts'
import { readBody } from './body.ts'
import { mergeInput, type PathParams, queryFields } from './input.ts'
import { parseJson } from './json.ts'
import { announcesBody, mediaMistake } from './media.ts'
import type { HttpSettings } from './options.ts'
import { type ProblemContext, problemOf } from './problem.ts'
import { callHeaders, namesHostTwice, requestIdOf, timeoutOf } from './request-headers.ts'
import type { RouteMiss, Routes } from './routes.ts'

/** What an exchange needs of the server it happens on. */
export interface ExchangeHost {
  readonly clock: Clock
  readonly log: Log
  readonly settings: HttpSettings
  readonly routes: Routes
  /** Whether the server takes nothing new: answers close their connection. */
  readonly draining: boolean
  /** Whether as many requests are under way as may be. */
  readonly full: boolean
  /** How the application is. */
  readonly health: NonNullable<TransportHost['health']>
}

/** A connection, as its exchanges share it. */
export interface Connection {
  /** Those that are not over yet. */
  readonly exchanges: Set<Exchange>
  /** Whether an answer has announced the end of the connection: what comes behind it must not be processed. */
  closing: boolean
  /** The last one that began. */
  newest: Exchange | undefined
}

/** Milliseconds a client that still sends is listened to after its answer, so that it reads the answer and not a reset. */
const lingerMs = 1_000

/** One request and its answer. */
export class Exchange {
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  readonly #host: ExchangeHost
  readonly #requestId: string
  readonly #connection: Connection
  #running: RunningCall | undefined
  #over = false
  /** Whether the request's body is still coming in, so that nothing has been answered yet. */
  reading = false

  constructor(response: ServerResponse<IncomingMessage>, connection: Connection, host: ExchangeHost) {
    this.#request = response.req
    this.#response = response
    this.#connection = connection
    this.#host = host
    this.#requestId = requestIdOf(response.req.headers)
  }

  /** Takes the request to its answer. Never rejects. */
  async run(): Promise<void> {
    try {
      await this.#take()
    } catch (thrown) {
      this.#fail(PosthasteError.is(thrown) ? thrown : this.#unexpected(thrown))
    }
  }

  /** Ends the call, if one runs: the client is gone, or the server stops. Does nothing once it is over. */
  cancel(reason: PosthasteError): void {
    this.#running?.cancel(reason)
  }

  /** The connection is gone: cancels the call and answers nothing more. */
  abandon(): void {
    this.#over = true
    this.cancel(new PosthasteError('CANCELLED', 'the client closed the connection'))
  }

  /** What the handler still does, though nobody waits for it any more; undefined where nothing. Never rejects. */
  unfinished(): Promise<void> | undefined {
    return this.#running?.unfinished()
  }

  async #take(): Promise<void> {
    const { draining, full, routes } = this.#host
    if (draining) throw new PosthasteError('UNAVAILABLE', 'the server is shutting down')
    if (full) throw new PosthasteError('OVERLOADED', 'as many requests are under way as may be')
    if (namesHostTwice(this.#request.rawHeaders)) {
      // Whoever disagrees with a proxy about this request may disagree about where the next one begins.
      this.#connection.closing = true
      throw new PosthasteError('INVALID_ARGUMENT', 'the request names its host twice')
    }
    const { path, query } = splitTarget(this.#request.url as string)
    const match = routes.match(this.#request.method as string, path)
    if (!match.found) return this.#lost(match)
    if (match.target.kind === 'health') return this.#tellHealth()
    const { served, status, takesBody } = match.target
    const payload = takesBody ? await this.#bodyInput(match.params, query) : this.#queryInput(match.params, query)
    if (payload !== refused) await this.#call(served, payload, status)
  }

  #tellHealth(): void {
    const status = this.#host.health()
    this.#send(status === 'failing' ? 503 : 200, jsonHeaders, JSON.stringify({ status }))
  }

  #lost(match: RouteMiss): void {
    if (match.why === 'encoding') throw new PosthasteError('INVALID_ARGUMENT', 'the path is not valid percent-encoding')
    if (match.why === 'path')
      throw new PosthasteError('NOT_FOUND', 'there is no such path', { remedy: 'Check the path.' })
    const error = new PosthasteError('UNIMPLEMENTED', `this path does not answer ${this.#request.method}`)
    this.#fail(error, { status: 405, headers: { allow: match.allowed.join(', ') } })
  }

  #queryInput(params: PathParams, query: string): unknown {
    if (announcesBody(this.#request.headers)) {
      throw new PosthasteError('INVALID_ARGUMENT', `a ${this.#request.method} takes no body here`, {
        remedy: 'Send the fields in the query string.',
      })
    }
    return mergeInput(params, queryFields(query))
  }

  async #bodyInput(params: PathParams, query: string): Promise<unknown> {
    if (query !== '') {
      throw new PosthasteError('INVALID_ARGUMENT', `a ${this.#request.method} takes no query string here`, {
        remedy: 'Send the fields in the body.',
      })
    }
    const { headers } = this.#request
    if (!announcesBody(headers)) return mergeInput(params, {})
    const mistake = mediaMistake(headers)
    if (mistake !== undefined) {
      const error = new PosthasteError('INVALID_ARGUMENT', mistake, {
        remedy: 'Send application/json in UTF-8, not compressed.',
      })
      this.#fail(error, { status: 415, headers: { accept: 'application/json', 'accept-encoding': 'identity' } })
      return refused
    }
    const { bodyBytesMax, bodyDepthMax } = this.#host.settings
    this.reading = true
    const bytes = await readBody(this.#continue(), bodyBytesMax)
    this.reading = false
    return mergeInput(params, bytes.length === 0 ? {} : parseJson(bytes, { depthMax: bodyDepthMax }))
  }

  /** Tells a client that asked first to go on and send its body. */
  #continue(): IncomingMessage {
    const announced = Number(this.#request.headers['content-length'] ?? 0)
    const asks = this.#request.headers.expect?.toLowerCase() === '100-continue'
    if (asks && announced <= this.#host.settings.bodyBytesMax) this.#response.writeContinue()
    return this.#request
  }

  async #call(served: ServedMethod, payload: unknown, status: number | undefined): Promise<void> {
    if (this.#over) return
    const { headers } = this.#request
    this.#running = served.dispatch({
      payload,
      headers: callHeaders(headers),
      timeoutMs: timeoutOf(headers),
      id: this.#requestId,
    })
    const output = await this.#running.result
    this.#running = undefined
    if (output === undefined) return this.#send(status ?? 204, {}, '')
    this.#send(status ?? 200, jsonHeaders, this.#written(output, served))
  }

  #written(output: unknown, served: ServedMethod): string {
    try {
      return JSON.stringify(output) ?? 'null'
    } catch (thrown) {
      throw this.#unexpected(thrown, `${served.service}/${served.method}`)
    }
  }

  #unexpected(cause: unknown, target?: string): PosthasteError {
    this.#host.log.error('a request failed inside the http transport', {
      requestId: this.#requestId,
      target,
      error: cause,
    })
    return new PosthasteError('INTERNAL', 'the answer could not be written', { cause })
  }

  #fail(error: PosthasteError, context: ProblemContext = {}): void {
    const { status, headers, body } = problemOf(error, { ...context, requestId: this.#requestId })
    this.#send(status, headers, body)
  }

  #send(status: number, headers: Readonly<Record<string, string>>, body: string): void {
    const response = this.#response
    if (this.#over || response.headersSent || response.destroyed) return
    this.#over = true
    this.reading = false
    const unread = announcesBody(this.#request.headers) && !this.#request.complete
    // Answers go out in order: a drain may end the connection only with the last one that is owed.
    if (unread || (this.#host.draining && this.#connection.newest === this)) this.#connection.closing = true
    if (this.#connection.closing) response.setHeader('connection', 'close')
    const bodiless = status === 204 || status === 205
    const entity = bodiless ? {} : { ...headers, 'content-length': Buffer.byteLength(body) }
    response.writeHead(status, {
      ...entity,
      'x-content-type-options': 'nosniff',
      'x-request-id': this.#requestId,
    })
    // A client that does not read its answer must not keep it in memory for ever.
    response.setTimeout(this.#host.settings.responseTimeoutMs, () => response.destroy())
    if (unread) this.#linger(body)
    else response.end(bodiless ? undefined : body)
  }

  /** Sends the answer and goes on reading for a while: closing on unread bytes resets the connection and loses the answer. */
  #linger(body: string): void {
    const end = (): void => {
      timer.cancel()
      this.#response.end()
    }
    const timer = this.#host.clock.setTimer(lingerMs, end)
    this.#response.write(body)
    this.#request.once('close', end).once('end', end).resume()
  }
}

const jsonHeaders = { 'content-type': 'application/json' }

/** Stands for an input that was answered with a problem already. */
const refused = Symbol('refused')

/** Path and query of a request target in origin or absolute form. */
function splitTarget(target: string): { readonly path: string; readonly query: string } {
  const origin = target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*/i, '')
  const mark = origin.indexOf('?')
  const path = mark < 0 ? origin : origin.slice(0, mark)
  return { path: path === '' ? '/' : path, query: mark < 0 ? '' : origin.slice(mark + 1) }
}
