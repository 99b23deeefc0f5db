import { isStream, type Log, PosthasteError, type RunningCall, type ServedMethod } from '@posthaste/contracts'
import { compressedMessage, type IncomingStream, type LinkStream, type Peer } from '../connection/types.ts'
import { compressed, plain } from './compression.ts'
import { tellable } from './errors.ts'
import { type Format, formatsOf } from './formats.ts'
import { receivedOf } from './metadata.ts'

/** What all that is served over one link has in common. */
export interface EndpointHost {
  readonly log: Log
  /** Largest message taken, decompressed. */
  readonly messageBytesMax: number
}

/** A served method, with what is decided about it once. */
export class Endpoint {
  readonly target: string
  readonly served: ServedMethod
  readonly host: EndpointHost
  readonly takesStream: boolean
  readonly answersStream: boolean
  readonly formats: ReadonlyMap<string, Format>

  constructor(served: ServedMethod, formats: readonly Format[], host: EndpointHost) {
    this.target = `${served.service}/${served.method}`
    this.served = served
    this.host = host
    this.takesStream = isStream(served.contract.input)
    this.answersStream = isStream(served.contract.output)
    this.formats = new Map(formats.map((format) => [format.contentType, format]))
  }

  /** @throws UNIMPLEMENTED when the method is not served in that content type */
  formatOf(contentType: string): Format {
    const format = this.formats.get(contentType)
    if (format !== undefined) return format
    const types = [...this.formats.keys()].join(', ')
    throw new PosthasteError('UNIMPLEMENTED', `'${this.target}' is not served as ${contentType}`, {
      remedy: `Give client and server the same formats and codecs; here there are ${types}.`,
    })
  }
}

/** One call that came over a link: what unary calls and streams do alike. */
export class Exchange {
  readonly endpoint: Endpoint
  readonly stream: LinkStream
  protected running: RunningCall | undefined
  readonly #format: Format
  readonly #opening: IncomingStream

  constructor(endpoint: Endpoint, opening: IncomingStream, stream: LinkStream) {
    this.endpoint = endpoint
    this.stream = stream
    this.#format = endpoint.formatOf(opening.codec)
    this.#opening = opening
  }

  /** Has the call done, with the whole serving stack around it. */
  dispatch(payload: unknown): RunningCall {
    const { metadata, timeoutMs, peer } = this.#opening
    const { id, headers } = receivedOf(metadata, peer)
    const running = this.endpoint.served.dispatch({ payload, headers, timeoutMs, id })
    this.running = running
    return running
  }

  /** The caller gave the call up: it counts among the connection's streams until the work for it has ended. */
  giveUp(reason: PosthasteError): void {
    this.running?.cancel(reason)
    const work = this.running?.unfinished()
    if (work === undefined) this.stream.end()
    else this.#lapseAfter(work)
  }

  /** @throws BODY_MALFORMED and the like */
  read(body: Uint8Array, flags: number): unknown {
    const bytes = plain(body, flags, this.endpoint.host.messageBytesMax)
    try {
      return this.#format.input.decode(bytes)
    } catch (thrown) {
      throw PosthasteError.from(thrown, 'BODY_MALFORMED', `the input of '${this.endpoint.target}'`)
    }
  }

  /**
   * Writes a value of the output and sends it.
   * @returns false when it waits for credit
   * @throws whatever the codec throws
   */
  write(value: unknown, flags: number): boolean {
    const body = this.#format.output.encode(value)
    const { compressAboveBytes } = this.#opening.peer
    if (body.length < compressAboveBytes) return this.stream.send(body, flags)
    const smaller = compressed(body)
    return smaller === undefined ? this.stream.send(body, flags) : this.stream.send(smaller, flags | compressedMessage)
  }

  /** Ends the call with what went wrong; what nobody meant is told to the log, and to the caller as INTERNAL. */
  fail(thrown: unknown): void {
    if (PosthasteError.is(thrown)) this.#failStream(tellable(thrown))
    else this.failUnexpectedly(thrown)
  }

  /** An answer could not be written: the mistake of this side, which its caller can do nothing about. */
  failUnexpectedly(error: unknown): void {
    const { target, host } = this.endpoint
    host.log.error('an answer could not be written', { target, error })
    this.#failStream(new PosthasteError('INTERNAL', `the answer of '${target}' could not be written`))
  }

  #failStream(error: PosthasteError): void {
    const work = this.running?.unfinished()
    this.stream.fail(error, work !== undefined)
    if (work !== undefined) this.#lapseAfter(work)
  }

  #lapseAfter(work: Promise<void>): void {
    void work.then(() => this.stream.end())
  }
}

/** Endpoints by what clients call them. */
export function endpointsOf(
  methods: readonly ServedMethod[],
  codecs: Parameters<typeof formatsOf>[1],
  host: EndpointHost,
): ReadonlyMap<string, Endpoint> {
  const endpoints = methods.map((served) => new Endpoint(served, formatsOf(served.contract, codecs), host))
  return new Map(endpoints.map((endpoint) => [endpoint.target, endpoint]))
}

/** Who may call what. */
export type Authorize = (peer: Peer, method: { readonly service: string; readonly method: string }) => boolean
