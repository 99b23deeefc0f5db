import { type Headers, PosthasteError } from '@posthaste/contracts'
import { Connection, type ConnectionShare } from '../connection/connection.ts'
import type { ServerTerms } from '../connection/options.ts'
import type { Pipe } from '../connection/pipe.ts'
import { pieceBytesMost } from '../connection/sender.ts'
import type { Stream, Unsent } from '../connection/stream.ts'
import { compressedMessage, lastMessage } from '../connection/types.ts'
import {
  cancelReason,
  creditCost,
  frameFlag,
  frameType,
  noTimeout,
  octetStream,
  octetStreamCodec,
  streamIdMax,
  unnumberedMethod,
} from '../wire/constants.ts'
import { readFailure } from '../wire/failure.ts'
import type { Frame } from '../wire/frame.ts'
import type { OutgoingOpening } from '../wire/frame-writer.ts'
import { encodeClientHello, readServerHello, type ServerHello } from '../wire/hello.ts'
import { noMetadata } from '../wire/metadata.ts'
import type { ClientStream } from './client-stream.ts'
import { asNotSent } from './not-sent.ts'

/** Who is told what becomes of a client's connection. */
export interface ClientOwner {
  /** Streams may be opened. */
  connected(connection: ClientConnection, terms: ServerTerms): void
  /** No more streams are to be opened here; those that run end. With an error, the server has something against it. */
  leaving(connection: ClientConnection, error: PosthasteError | undefined): void
  /** A stream that the server will not look at, to be opened elsewhere. */
  moved(stream: ClientStream): void
  /** There may be room for another stream. */
  room(connection: ClientConnection): void
  gone(connection: ClientConnection, cause: PosthasteError): void
}

/** What the connections of a dialer share. */
export interface ClientShare extends ConnectionShare {
  readonly owner: ClientOwner
  readonly agent: string
  readonly compression: boolean
}

/** Most names of methods a client has numbered, whatever the server would remember. */
const methodsMax = 1024

/** A client's side of a connection. */
export class ClientConnection extends Connection {
  declare protected readonly share: ClientShare
  /** What the server said; undefined until it has. */
  terms: ServerTerms | undefined
  readonly #methods = new Map<string, number>()
  readonly #opening: OutgoingOpening = {
    method: 0,
    name: undefined,
    timeoutMs: undefined,
    codec: 0,
    metadata: noMetadata,
    body: undefined,
  }
  #hello: ServerHello | undefined
  #windowOfStream = 0

  constructor(pipe: Pipe, token: string | undefined, share: ClientShare) {
    super(pipe, 'client', share)
    const { limits, agent, compression } = share
    const { frameBytesMax, metadataBytesMax, streamWindow, connectionWindow } = limits
    const hello = encodeClientHello({
      versions: [1],
      agent,
      token,
      frameBytesMax,
      metadataBytesMax,
      streamWindow,
      connectionWindow,
      compression: compression ? ['gzip'] : [],
    })
    this.sender.writer.preface()
    this.sender.writer.hello(hello)
    this.begin()
    this.sender.touch()
  }

  /** Whether another stream may be opened now. */
  get hasRoom(): boolean {
    const { blocked, unsentBytes } = this.sender
    if (this.state !== 'open' || blocked || unsentBytes >= this.share.limits.unsentBytesMax) return false
    return this.streams.size < (this.#hello as ServerHello).streamsMax
  }

  /** Whether streams run. */
  get busy(): boolean {
    return this.streams.size > 0
  }

  /**
   * Opens a stream, with what it has said so far. Only where there is room.
   * @throws CAPABILITY_UNSUPPORTED, INVALID_ARGUMENT or BODY_TOO_LARGE when the server does not take such a stream; nothing
   *   of it has been sent then
   */
  open(stream: ClientStream, nowMs: number): void {
    const { opening } = stream
    const hello = this.#hello as ServerHello
    const out = this.#opening
    out.codec = codecOf(hello, opening.codec)
    out.metadata = opening.metadata
    out.timeoutMs = timeLeft(stream, nowMs)
    this.#number(opening.method)
    if (opening.body !== undefined) this.#check(opening.body, opening.flags ?? 0)
    if (stream.said !== undefined) for (const { body, flags } of stream.said) this.#check(body, flags)
    stream.id = this.lastId + 1
    stream.sendCredit = hello.streamWindow
    stream.receiveCredit = this.share.limits.streamWindow
    stream.openedAtWrite = this.sender.writes
    this.#write(stream)
    stream.carrier = this
    this.streams.set(stream.id, stream)
    this.lastId = stream.id
    // If it moves, what its caller waited for here counts.
    if (stream.waitsSinceMs === 0) stream.waitsSinceMs = nowMs
    if (this.lastId === streamIdMax) this.#retire(undefined)
  }

  /** Ends the connection once its streams have, and has no others begin. */
  drain(): void {
    if (this.state === 'greeting') {
      this.leave(closed())
      return
    }
    if (this.state !== 'open' && this.state !== 'draining') return
    if (this.state === 'open') this.goaway(undefined)
    this.state = 'draining'
    this.#closeWhenIdle()
  }

  /** Cancels the streams that run, and closes. */
  stop(): void {
    if (this.state !== 'open' && this.state !== 'draining') {
      this.drain()
      return
    }
    for (const stream of this.streams.values()) {
      this.tellFailed(stream)
      this.tell(stream, closed())
    }
    this.drain()
  }

  /** Closes at once, whatever the server does. */
  destroy(): void {
    if (this.state === 'closed') return
    this.pipe.destroy()
    this.lost(closed())
  }

  override send(stream: Stream, body: Uint8Array, flags: number): boolean {
    if (stream.closed) return true
    try {
      this.#check(body, flags)
    } catch (thrown) {
      this.failSoon(stream, thrown as PosthasteError)
      return false
    }
    remember(stream as ClientStream, { body, flags, ending: undefined, next: undefined })
    return super.send(stream, body, flags)
  }

  override end(stream: Stream, metadata: Headers = noMetadata): void {
    if (stream.closed) return
    remember(stream as ClientStream, { body: nothing, flags: lastMessage, ending: metadata, next: undefined })
    super.end(stream, metadata)
  }

  override turned(): void {
    this.share.owner.room(this)
  }

  protected greeted(frame: Frame): void {
    const hello = readServerHello(frame.bytes, frame.start, frame.end)
    const { limits, owner } = this.share
    this.#hello = hello
    this.sender.frameBytesMax = Math.min(hello.frameBytesMax, pieceBytesMost)
    this.sender.credit = hello.connectionWindow
    this.sender.writer.metadataBytesMax = Math.min(hello.metadataBytesMax, hello.frameBytesMax - openBytesMost)
    this.#windowOfStream = hello.streamWindow
    this.watch.keepaliveMs = Math.min(limits.keepaliveMs, hello.keepaliveMs)
    this.reader.accept(limits.frameBytesMax)
    this.state = 'open'
    const compression = hello.compression === 'gzip' && this.share.compression ? 'gzip' : undefined
    this.compresses = compression !== undefined
    this.terms = {
      agent: hello.agent,
      codecs: hello.codecs,
      compression,
      compressAboveBytes: compression === undefined ? Number.POSITIVE_INFINITY : (hello.compressAboveBytes ?? 1024),
      messageBytesMax: hello.messageBytesMax,
      metadataBytesMax: hello.metadataBytesMax,
      streamsMax: hello.streamsMax,
    }
    owner.connected(this, this.terms)
  }

  protected particular(frame: Frame): void {
    if (frame.type !== frameType.error) return
    const stream = this.streams.get(frame.stream)
    const error = readFailure(frame.bytes, frame.start, frame.end)
    if (stream === undefined) this.checkKnown(frame.stream)
    else this.tell(stream, (frame.flags & frameFlag.untouched) === 0 ? error : asNotSent(error))
  }

  protected leaving(last: number, error: PosthasteError | undefined): void {
    if (this.state === 'greeting') {
      this.pipe.end()
      this.lost(error ?? new PosthasteError('UNAVAILABLE', `${this.pipe.name} goes away`))
      return
    }
    this.#retire(error)
    for (const stream of this.streams.values() as ClientStream[]) {
      if (stream.id <= last || stream.touched) continue
      this.#letGo(stream)
      this.share.owner.moved(stream)
    }
    this.#closeWhenIdle()
  }

  protected tellFailed(stream: Stream, error?: PosthasteError): void {
    const isDeadline = error?.code === 'DEADLINE_EXCEEDED'
    this.sender.writer.cancel(stream.id, isDeadline ? cancelReason.deadline : cancelReason.givenUp)
    this.sender.touch()
  }

  protected lossOf(stream: Stream, cause: PosthasteError): PosthasteError {
    return (stream as ClientStream).openedAtWrite === this.sender.writes ? asNotSent(cause) : cause
  }

  protected gone(cause: PosthasteError): void {
    this.share.owner.gone(this, cause)
  }

  protected override touched(stream: Stream): void {
    const touched = stream as ClientStream
    touched.said = undefined
    touched.touched = true
  }

  protected override finish(stream: Stream): void {
    super.finish(stream)
    if (this.state === 'draining') this.#closeWhenIdle()
    else this.share.owner.room(this)
  }

  /** The number of a method for its OPEN, and its name where the server does not know the number yet. */
  #number(method: string): void {
    const out = this.#opening
    const known = this.#methods.get(method)
    out.name = known === undefined ? method : undefined
    if (known !== undefined) {
      out.method = known
      return
    }
    const bytes = Buffer.byteLength(method)
    if (bytes === 0 || bytes > nameBytesMax) {
      throw new PosthasteError('INVALID_ARGUMENT', `a method's name has 1 to ${nameBytesMax} bytes, not ${bytes}`)
    }
    const next = this.#methods.size
    const numbered = next < Math.min(methodsMax, (this.#hello as ServerHello).methodsMax)
    out.method = numbered ? next : unnumberedMethod
  }

  /** Writes the OPEN, with the first message where that fits, and has the rest wait. */
  #write(stream: ClientStream): void {
    const { sender } = this
    const out = this.#opening
    const { body } = stream.opening
    const flags = (stream.opening.flags ?? 0) & (body === undefined ? lastMessage : openFlags)
    const cost = body === undefined ? 0 : creditCost(body.length)
    const fits = body === undefined || (body.length <= this.#roomBeside(out) && cost <= this.sender.credit)
    out.body = fits ? body : undefined
    sender.writer.open(stream.id, fits ? flags : 0, out)
    out.body = undefined
    if (out.name !== undefined && out.method !== unnumberedMethod) this.#methods.set(out.name, out.method)
    sender.touch()
    if (fits) {
      sender.credit -= cost
      stream.sendCredit -= cost
      if ((flags & lastMessage) !== 0) stream.endSent = true
    } else {
      sender.enqueue(stream, { body: body as Uint8Array, flags, ending: undefined, next: undefined })
    }
    if (stream.said !== undefined) for (const said of stream.said) sender.enqueue(stream, { ...said, next: undefined })
  }

  /** Bytes of a message that an OPEN has room for; what metadata takes is not measured, but bounded. */
  #roomBeside(out: OutgoingOpening): number {
    const metadataBytes = out.metadata === noMetadata ? 2 : this.sender.writer.metadataBytesMax
    return Math.min(this.sender.frameBytesMax - openBytesMost - metadataBytes, this.#windowOfStream)
  }

  /** @throws BODY_TOO_LARGE or CAPABILITY_UNSUPPORTED when the server would not take a message */
  #check(body: Uint8Array, flags: number): void {
    const { messageBytesMax, compression } = this.terms as ServerTerms
    if (body.length > messageBytesMax) {
      const what = `a message of ${body.length} bytes is larger than the ${messageBytesMax} that ${this.pipe.name} takes`
      throw new PosthasteError('BODY_TOO_LARGE', what)
    }
    if ((flags & compressedMessage) === 0 || compression !== undefined) return
    throw new PosthasteError('CAPABILITY_UNSUPPORTED', `${this.pipe.name} takes no compressed messages`)
  }

  /** The server does not look at a stream: it may go elsewhere. */
  #letGo(stream: ClientStream): void {
    this.sender.release(stream)
    this.receiver.release(stream)
    this.streams.delete(stream.id)
    stream.rewind()
  }

  #retire(error: PosthasteError | undefined): void {
    if (this.state !== 'open') return
    this.state = 'draining'
    this.share.owner.leaving(this, error)
  }

  #closeWhenIdle(): void {
    if (this.state === 'draining' && this.streams.size === 0) this.leave(closed())
  }
}

const nothing = new Uint8Array(0)

const nameBytesMax = 255

const openFlags = lastMessage | compressedMessage

/** What an OPEN takes at most besides metadata and message: number and name of the method, deadline, codec. */
const openBytesMost = 2 + 256 + 5

/** @throws CAPABILITY_UNSUPPORTED when the server takes no such messages */
function codecOf({ codecs }: ServerHello, codec: string): number {
  const index = codecs.indexOf(codec)
  if (index >= 0) return index
  if (codec === octetStream) return octetStreamCodec
  const remedy = 'Use one of them, or have the server take another.'
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the server takes ${codecs.join(', ')}, not ${codec}`, { remedy })
}

/** Keeps what is said on a stream while it may have to be said again on another connection. */
function remember(stream: ClientStream, unsent: Unsent): void {
  stream.said?.push(unsent)
}

/** Milliseconds a stream's caller still waits, after the stream itself has waited, as the wire has them. */
function timeLeft({ opening, waitsSinceMs }: ClientStream, nowMs: number): number | undefined {
  const { timeoutMs } = opening
  if (timeoutMs === undefined) return undefined
  const leftMs = waitsSinceMs === 0 ? timeoutMs : timeoutMs - (nowMs - waitsSinceMs)
  return Math.max(0, Math.min(Math.ceil(leftMs), noTimeout - 1))
}

function closed(): PosthasteError {
  return new PosthasteError('UNAVAILABLE', 'the client was closed', { remedy: 'Make a new client.' })
}
