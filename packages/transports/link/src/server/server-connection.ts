import { type MaybePromise, PosthasteError } from '@posthaste/contracts'
import { Connection, type ConnectionShare } from '../connection/connection.ts'
import type { LinkCredentials, LinkIdentity } from '../connection/options.ts'
import type { Pipe } from '../connection/pipe.ts'
import { pieceBytesMost } from '../connection/sender.ts'
import { Stream } from '../connection/stream.ts'
import type { IncomingStream, Peer, PeerCertificateInfo, StreamAcceptor, StreamSink } from '../connection/types.ts'
import {
  cancelReason,
  creditCost,
  frameFlag,
  frameType,
  octetStream,
  octetStreamCodec,
  unnumberedMethod,
} from '../wire/constants.ts'
import { encodeFailure } from '../wire/failure.ts'
import type { Frame } from '../wire/frame.ts'
import { type ClientHello, encodeServerHello, readClientHello, type ServerHello } from '../wire/hello.ts'
import { emptyOpening, readOpening } from '../wire/opening.ts'
import { readCancelReason } from '../wire/payloads.ts'
import { malformed, outOfPlace } from '../wire/violation.ts'
import { Abuse } from './abuse.ts'
import type { LobbyKey } from './lobby.ts'

/** What the connections of a listener share. */
export interface ServerShare extends ConnectionShare {
  readonly accept: StreamAcceptor
  readonly codecs: readonly string[]
  /** undefined where nothing is to be compressed. */
  readonly compressAboveBytes: number | undefined
  readonly methodsMax: number
  readonly agent: string
  /** Decides who a client is. */
  readonly authenticate: (credentials: LinkCredentials) => MaybePromise<LinkIdentity | undefined>
  /** The client is known from here on. @throws OVERLOADED when there are too many */
  readonly admit: (connection: ServerConnection) => void
  /** A connection is gone. */
  readonly gone: (connection: ServerConnection) => void
}

/** Who connects, as far as the pipe tells. */
export interface Visitor {
  readonly address: string
  readonly certificate: PeerCertificateInfo | undefined
  /** Where it stands until it is let in. */
  readonly key: LobbyKey
}

/** Longest time a stream that is cancelled counts as one that was opened to be cancelled. */
const rapidMs = 10_000

/** How much less than its whole time a deadline may have had here, for what it took on the way. */
const deadlineShare = 0.5

/** A server's side of a connection. */
export class ServerConnection extends Connection {
  declare protected readonly share: ServerShare
  readonly visitor: Visitor
  readonly #abuse: Abuse
  readonly #methods: string[] = []
  readonly #opening = emptyOpening()
  #peer: Peer
  #peerFrameBytesMax = 0
  #peerStreamWindow = 0
  /** Streams that are over for the client and not for those who work on them. */
  #lingering = 0

  constructor(pipe: Pipe, visitor: Visitor, share: ServerShare) {
    super(pipe, 'server', share)
    this.visitor = visitor
    this.#abuse = new Abuse(share.limits, this.heardAtMs)
    this.#peer = { user: undefined, address: visitor.address, compressAboveBytes: Number.POSITIVE_INFINITY }
    this.begin()
  }

  /** Streams that are worked on, those included that nobody waits for any more. */
  get running(): number {
    return this.streams.size + this.#lingering
  }

  /** Has the streams that run end, and no others begin; then closes, for as long as the client reads the last answers. */
  drain(): void {
    if (this.state === 'greeting') this.abort(goingAway())
    if (this.state !== 'open') return
    this.state = 'draining'
    this.goaway(undefined)
    this.#closeWhenIdle()
  }

  /** Fails the streams that still run, and closes; whoever has not read the last answers by now has had its time. */
  stop(): void {
    this.watch.hurry()
    if (this.state !== 'draining' && this.state !== 'open') {
      this.abort(goingAway())
      return
    }
    for (const stream of this.streams.values()) {
      this.tellFailed(stream, goingAway())
      this.tell(stream, goingAway())
    }
    this.leave(goingAway())
  }

  protected greeted(frame: Frame): void {
    const hello = readClientHello(frame.bytes, frame.start, frame.end)
    const identity = this.#identify(hello)
    if (!isPromise(identity)) {
      if (identity !== 'refused') this.#welcome(hello, identity)
      return
    }
    identity.then(
      (known) => this.#attempt(() => this.#welcome(hello, known)),
      (thrown) => this.#attempt(() => this.#disown(thrown)),
    )
  }

  protected particular(frame: Frame): void {
    if (frame.type === frameType.open) this.#open(frame)
    else if (frame.type === frameType.cancel) this.#cancel(frame)
  }

  protected leaving(_last: number, error: PosthasteError | undefined): void {
    const { log } = this.share
    if (error !== undefined)
      log.warn('a link client ended its connection', { peer: this.pipe.name, why: error.message })
    if (this.state === 'open') this.state = 'draining'
    this.#closeWhenIdle()
  }

  protected tellFailed(stream: Stream, error: PosthasteError): void {
    this.#refuse(stream.id, 0, error)
  }

  protected lossOf(_stream: Stream, cause: PosthasteError): PosthasteError {
    return cause
  }

  protected gone(): void {
    this.share.gone(this)
  }

  protected override pinged(): void {
    this.#abuse.pinged(this.heardAtMs)
  }

  protected override finish(stream: Stream): void {
    super.finish(stream)
    if (this.state === 'draining') this.#closeWhenIdle()
  }

  protected override tell(stream: Stream, error: PosthasteError): void {
    if (!stream.closed) this.lingers(stream)
    super.tell(stream, error)
  }

  protected override lingers(stream: Stream): void {
    if (stream.lingering) return
    stream.lingering = true
    this.#lingering++
  }

  protected override lapsed(stream: Stream): void {
    if (!stream.lingering) return
    stream.lingering = false
    this.#lingering--
  }

  #identify({ token }: ClientHello): MaybePromise<LinkIdentity | undefined> | 'refused' {
    const { address, certificate } = this.visitor
    try {
      return this.share.authenticate({ token, address, certificate })
    } catch (thrown) {
      this.#disown(thrown)
      return 'refused'
    }
  }

  /** Nobody could say who the client is; what went wrong with that, beyond a refusal, is none of its business. */
  #disown(thrown: unknown): void {
    if (PosthasteError.is(thrown)) {
      this.abort(thrown)
      return
    }
    this.share.log.error('the authentication of a link client failed', { peer: this.pipe.name, error: thrown })
    this.abort(new PosthasteError('INTERNAL', 'the server could not tell who the client is'))
  }

  #welcome(hello: ClientHello, identity: LinkIdentity | undefined): void {
    if (this.state !== 'greeting') return
    this.share.admit(this)
    const { limits, codecs, compressAboveBytes, agent, methodsMax } = this.share
    const compresses = compressAboveBytes !== undefined && hello.compression.includes('gzip')
    this.compresses = compresses
    this.#peer = {
      user: identity?.user ?? this.visitor.certificate?.commonName,
      address: this.visitor.address,
      certificate: this.visitor.certificate,
      grants: identity?.grants,
      compressAboveBytes: compresses ? compressAboveBytes : Number.POSITIVE_INFINITY,
    }
    this.#peerFrameBytesMax = hello.frameBytesMax
    this.#peerStreamWindow = hello.streamWindow
    this.sender.frameBytesMax = Math.min(hello.frameBytesMax, pieceBytesMost)
    this.sender.credit = hello.connectionWindow
    this.sender.writer.metadataBytesMax = hello.metadataBytesMax
    const {
      frameBytesMax,
      messageBytesMax,
      metadataBytesMax,
      streamWindow,
      connectionWindow,
      streamsMax,
      keepaliveMs,
    } = limits
    const answer: ServerHello = {
      version: 1,
      agent,
      codecs,
      compression: compresses ? 'gzip' : undefined,
      compressAboveBytes: compresses ? compressAboveBytes : undefined,
      frameBytesMax,
      messageBytesMax,
      metadataBytesMax,
      methodsMax,
      streamWindow,
      connectionWindow,
      streamsMax,
      keepaliveMs,
    }
    this.sender.writer.hello(encodeServerHello(answer))
    this.sender.touch()
    this.reader.accept(frameBytesMax)
    this.state = 'open'
  }

  #open(frame: Frame): void {
    const { share } = this
    const opening = this.#opening
    readOpening({ frame, metadataBytesMax: share.limits.metadataBytesMax, into: opening })
    const id = frame.stream
    if (id <= this.lastId) throw outOfPlace(`stream ${id} is opened after stream ${this.lastId}`)
    this.lastId = id
    const method = this.#methodOf(opening.method, opening.name)
    const codec = opening.codec === octetStreamCodec ? octetStream : share.codecs[opening.codec]
    if (codec === undefined) throw malformed(`stream ${id} has codec ${opening.codec}, which the server did not name`)
    const takesIt = this.state === 'open' && this.running < share.limits.streamsMax
    const stream = takesIt ? this.#begin(id, opening.timeoutMs) : undefined
    const hasBody = (frame.flags & frameFlag.body) !== 0
    if (hasBody) this.receiver.spend(stream, creditCost(frame.end - opening.bodyStart))
    const { metadata, timeoutMs, bodyStart } = opening
    if (stream === undefined) this.#turnAway(id)
    else if (this.#accept({ method, metadata, timeoutMs, codec, peer: this.#peer }, stream)) {
      if (hasBody) this.deliver(stream, frame, bodyStart)
      else if ((frame.flags & frameFlag.last) !== 0) this.#endedAtOnce(stream)
      return
    }
    if (this.receiver.grant(undefined)) this.sender.touch()
  }

  #begin(id: number, timeoutMs: number | undefined): Stream {
    this.#abuse.opened(this.heardAtMs)
    const stream = new Stream(noSink, this)
    stream.id = id
    stream.sendCredit = this.#peerStreamWindow
    stream.receiveCredit = this.share.limits.streamWindow
    stream.openedAtMs = this.heardAtMs
    stream.timeoutMs = timeoutMs
    this.streams.set(stream.id, stream)
    return stream
  }

  /** After GOAWAY a client knows without being told: it was told the last stream that counts. */
  #turnAway(id: number): void {
    if (this.state === 'open') this.#refuse(id, frameFlag.untouched, tooManyStreams(this.share.limits.streamsMax))
  }

  /** Returns whether the stream goes on. */
  #accept(incoming: IncomingStream, stream: Stream): boolean {
    this.workedId = stream.id
    try {
      const sink = this.share.accept(incoming, stream)
      stream.sink = sink
      stream.holdsCredit = sink.holdsCredit === true
    } catch (thrown) {
      if (!PosthasteError.is(thrown)) this.share.log.error('the acceptor of a stream failed', { error: thrown })
      this.fail(stream, PosthasteError.from(thrown, 'INTERNAL', 'the stream was not accepted'))
    }
    return !stream.over
  }

  #endedAtOnce(stream: Stream): void {
    stream.endReceived = true
    if (stream.endSent) this.finish(stream)
    stream.sink.ended(noMetadata)
  }

  #methodOf(number: number, name: string | undefined): string {
    if (number === unnumberedMethod) {
      if (name === undefined) throw malformed('OPEN with neither the number of a method nor its name')
      return name
    }
    if (name !== undefined) {
      if (number >= this.share.methodsMax) throw outOfPlace(`method ${number} is not among ${this.share.methodsMax}`)
      this.#methods[number] = name
      return name
    }
    const known = this.#methods[number]
    if (known === undefined) throw outOfPlace(`method ${number} was never named`)
    return known
  }

  #cancel(frame: Frame): void {
    const stream = this.streams.get(frame.stream)
    if (stream === undefined) {
      this.checkKnown(frame.stream)
      return
    }
    const reason = readCancelReason(frame)
    if (isRapid(stream, reason, this.heardAtMs)) this.#abuse.cancelled(this.heardAtMs)
    this.tell(stream, reason === cancelReason.deadline ? deadlinePassed() : givenUp())
  }

  #refuse(id: number, flags: number, error: PosthasteError): void {
    this.sender.writer.error(id, flags, encodeFailure(error, this.#peerFrameBytesMax))
    this.sender.touch()
    this.checkOutput()
  }

  #closeWhenIdle(): void {
    if (this.state === 'draining' && this.streams.size === 0) this.leave(goingAway(), true)
  }

  /** For what runs in a turn of its own: a failure ends the connection, not the process. */
  #attempt(step: () => void): void {
    try {
      step()
    } catch (thrown) {
      this.abort(PosthasteError.from(thrown, 'INTERNAL', 'the client could not be let in'))
    }
  }
}

/** What a stream has until the acceptor has answered. */
const noSink: StreamSink = { message() {}, ended() {}, failed() {}, writable() {} }

const noMetadata = Object.freeze({})

function isPromise<T>(value: MaybePromise<T>): value is PromiseLike<T> {
  return typeof (value as { readonly then?: unknown } | undefined)?.then === 'function'
}

/** Whether a cancellation came sooner than somebody who wants an answer would send it. */
function isRapid(stream: Stream, reason: number, nowMs: number): boolean {
  const forMs = nowMs - stream.openedAtMs
  if (reason !== cancelReason.deadline || stream.timeoutMs === undefined) return forMs < rapidMs
  return forMs < Math.min(rapidMs, stream.timeoutMs * deadlineShare)
}

function tooManyStreams(streamsMax: number): PosthasteError {
  return new PosthasteError('OVERLOADED', `the connection has ${streamsMax} streams already`)
}

function goingAway(): PosthasteError {
  return new PosthasteError('UNAVAILABLE', 'the server is shutting down', { remedy: 'Retry on another connection.' })
}

function givenUp(): PosthasteError {
  return new PosthasteError('CANCELLED', 'the client gave up')
}

function deadlinePassed(): PosthasteError {
  return new PosthasteError('DEADLINE_EXCEEDED', 'the client waits no longer: its deadline has passed')
}
