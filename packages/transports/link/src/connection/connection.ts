import { type Clock, type Headers, type Log, PosthasteError, SerialTable } from '@posthaste/contracts'
import type { ChunkPool } from '../wire/batch.ts'
import { creditCost, frameFlag, frameType } from '../wire/constants.ts'
import { encodeGoaway, readGoaway } from '../wire/failure.ts'
import type { Frame, FrameHandler } from '../wire/frame.ts'
import { FrameReader } from '../wire/frame-reader.ts'
import type { Side } from '../wire/frame-rules.ts'
import { metadataBytes, noMetadata } from '../wire/metadata.ts'
import { readCredit, readEnd, readPing } from '../wire/payloads.ts'
import { outOfPlace } from '../wire/violation.ts'
import type { LimitSettings } from './limits.ts'
import type { Pipe, PipeEvents } from './pipe.ts'
import { Receiver } from './receiver.ts'
import { Sender, type SenderOwner } from './sender.ts'
import type { Carrier, Stream } from './stream.ts'
import { compressedMessage, lastMessage } from './types.ts'
import { Watch } from './watch.ts'

/** What every connection of a listener or dialer shares. */
export interface ConnectionShare {
  readonly clock: Clock
  readonly log: Log
  readonly pool: ChunkPool
  readonly limits: LimitSettings
}

/**
 * Where in its life a connection is: the HELLOs are underway; streams may be opened; the streams that run end and no
 * others begin; a GOAWAY is on its way out and nothing else matters any more; gone.
 */
export type ConnectionState = 'greeting' | 'open' | 'draining' | 'closing' | 'closed'

const messageFlags = lastMessage | compressedMessage

/** One connection over a pipe: what both roles have in common. */
export abstract class Connection implements PipeEvents, FrameHandler, SenderOwner, Carrier {
  state: ConnectionState = 'greeting'
  protected readonly share: ConnectionShare
  protected readonly pipe: Pipe
  protected readonly reader: FrameReader
  protected readonly sender: Sender
  protected readonly receiver: Receiver
  protected readonly streams = new SerialTable<Stream>()
  /** Whether compression was agreed on. */
  protected compresses = false
  /** Highest stream that has been opened. */
  protected lastId = 0
  /** Highest of the other side's streams that was or will be worked on. */
  protected workedId = 0
  /** When bytes came last, on the monotonic clock. */
  protected heardAtMs: number
  protected readonly watch: Watch
  /** What a PING is answered with, and what the other side said before it closed. */
  #farewell: PosthasteError | undefined

  constructor(pipe: Pipe, side: Side, share: ConnectionShare) {
    this.share = share
    this.pipe = pipe
    this.reader = new FrameReader(side, this)
    this.sender = new Sender(pipe, share.pool, this)
    this.receiver = new Receiver(this.sender.writer, share.limits)
    this.heardAtMs = share.clock.monotonicMs()
    this.watch = new Watch(share.limits, this.heardAtMs)
  }

  /** HELLO of the other side. */
  protected abstract greeted(frame: Frame): void
  /** OPEN, CANCEL, ERROR: what only one side sends. */
  protected abstract particular(frame: Frame): void
  /** The other side says that it goes. */
  protected abstract leaving(last: number, error: PosthasteError | undefined): void
  /** Tells the other side that a stream is over, whose end or failure it has not sent itself. */
  protected abstract tellFailed(stream: Stream, error: PosthasteError): void
  /** The connection is gone, and its streams have been told. */
  protected abstract gone(cause: PosthasteError): void
  /** What a stream is told when the connection is gone. */
  protected abstract lossOf(stream: Stream, cause: PosthasteError): PosthasteError
  /** Something asked for a stream's frame; for counting. */
  protected pinged(): void {}

  /** The pipe is connected. */
  protected begin(): void {
    this.pipe.attach(this)
  }

  received(chunk: Uint8Array): void {
    if (this.state === 'closed') return
    this.heardAtMs = this.share.clock.monotonicMs()
    if (this.state === 'closing') return
    try {
      this.reader.push(chunk)
    } catch (thrown) {
      this.broken(thrown)
    }
  }

  drained(): void {
    this.sender.drained()
  }

  closed(cause: Error | undefined): void {
    if (this.state === 'closed') return
    const remedy = 'Retry with backoff.'
    const why = cause ?? this.#farewell
    const text = why === undefined ? 'was closed by the other side' : `was lost: ${why.message}`
    this.lost(new PosthasteError('UNAVAILABLE', `the connection to ${this.pipe.name} ${text}`, { cause: why, remedy }))
  }

  frame(frame: Frame): void {
    switch (frame.type) {
      case frameType.message:
        this.#message(frame)
        break
      case frameType.credit:
        this.#credit(frame)
        break
      case frameType.end:
        this.#end(frame)
        break
      case frameType.ping:
        this.#ping(frame)
        break
      case frameType.hello:
        this.greeted(frame)
        break
      case frameType.goaway:
        this.#goaway(frame)
        break
      default:
        this.particular(frame)
    }
  }

  send(stream: Stream, body: Uint8Array, flags: number): boolean {
    const last = (flags & lastMessage) !== 0
    if (stream.closed) {
      if (last) this.lapsed(stream)
      return true
    }
    if (last) stream.closed = true
    const left = this.sender.message(stream, body, flags & messageFlags)
    if (!left && this.sender.unsentBytes > this.share.limits.unsentBytesMax) this.#overfull(stream)
    return left
  }

  end(stream: Stream, metadata: Headers = noMetadata): void {
    if (stream.closed) {
      this.lapsed(stream)
      return
    }
    stream.closed = true
    try {
      // Measured now: what waits has nobody to tell.
      if (metadata !== noMetadata) metadataBytes(metadata, this.sender.writer.metadataBytesMax)
    } catch (thrown) {
      this.failSoon(stream, PosthasteError.from(thrown, 'INVALID_ARGUMENT', 'the metadata cannot be sent'))
      return
    }
    this.sender.end(stream, metadata)
    this.checkOutput()
  }

  fail(stream: Stream, error: PosthasteError, worksOn = false): void {
    if (stream.over) {
      if (!worksOn) this.lapsed(stream)
      return
    }
    if (worksOn) this.lingers(stream)
    this.tellFailed(stream, error)
    this.finish(stream)
  }

  consumed(stream: Stream, bytes: number): void {
    if (!stream.over && this.receiver.consumed(stream, bytes)) this.sender.touch()
  }

  sideEnded(stream: Stream): void {
    if (stream.endReceived) this.finish(stream)
  }

  turned(): void {}

  /** A sink has thrown where it was told that there is room. */
  broken(thrown: unknown): void {
    this.abort(PosthasteError.from(thrown, 'INTERNAL', 'a sink failed'))
  }

  /** Looks after what time brings. Called about every `sweepMs` of the limits. */
  sweep(nowMs: number): void {
    if (this.state === 'closed') return
    const step = this.watch.look({
      nowMs,
      heardAtMs: this.heardAtMs,
      frames: this.reader.frames,
      underway: this.reader.underway,
      blocked: this.sender.blocked,
      drains: this.sender.drains,
      greeting: this.state === 'greeting',
      closing: this.state === 'closing',
      unsentBytes: this.pipe.unsentBytes,
    })
    if (step === 'nothing') return
    if (step === 'ping') {
      this.#askWhetherAlive()
      return
    }
    if (step === 'destroy') {
      this.#destroy('did not close in time')
      return
    }
    if (step.gone) {
      this.#destroy(step.message)
      return
    }
    this.abort(new PosthasteError('UNAVAILABLE', `${this.pipe.name} ${step.message}`))
  }

  /** Ends the connection because of something that is wrong with it, and says so to the other side. */
  abort(error: PosthasteError): void {
    if (this.state === 'closed' || this.state === 'closing') return
    const fields = { peer: this.pipe.name, code: error.code, why: error.message }
    // Anybody can begin a connection, so what becomes of those that nobody was made out for fills no logs.
    if (this.state === 'greeting') this.share.log.debug('a link connection did not come about', fields)
    else this.share.log.warn('a link connection is ended', fields)
    this.goaway(error)
    const what = `the connection to ${this.pipe.name} was ended: ${error.message}`
    this.leave(error.code === 'UNAVAILABLE' ? error : new PosthasteError('UNAVAILABLE', what, { cause: error }))
  }

  /** Closes once what is written has left; what still comes is not looked at. Patiently where that has answers in it. */
  protected leave(cause: PosthasteError, isPatient = false): void {
    this.state = 'closing'
    this.reader.stop()
    this.watch.closeFrom(this.share.clock.monotonicMs(), isPatient)
    // First, so that no stream is told it was not sent and is sent then.
    this.sender.finish()
    this.failAll(cause)
    this.pipe.end()
  }

  protected goaway(error: PosthasteError | undefined): void {
    this.sender.writer.goaway(encodeGoaway({ last: this.workedId, error }))
    this.sender.touch()
  }

  /** A stream is over, for both sides. */
  protected finish(stream: Stream): void {
    if (stream.over) return
    stream.over = true
    stream.closed = true
    this.sender.drop(stream)
    const freed = this.receiver.release(stream)
    if (freed && this.state !== 'closing' && this.state !== 'closed' && this.receiver.grant(undefined))
      this.sender.touch()
    this.streams.delete(stream.id)
  }

  /** A stream's sink is told that it is over. */
  protected tell(stream: Stream, error: PosthasteError): void {
    if (stream.over) return
    this.finish(stream)
    try {
      stream.sink.failed(error)
    } catch (thrown) {
      this.share.log.error('a sink of a link stream failed', { peer: this.pipe.name, error: thrown })
    }
  }

  /** The work for a stream goes on though it is over; only servers count it. */
  protected lingers(_stream: Stream): void {}

  /** The work for a stream that was over has ended. */
  protected lapsed(_stream: Stream): void {}

  protected failAll(cause: PosthasteError): void {
    for (const stream of this.streams.values()) this.tell(stream, this.lossOf(stream, cause))
  }

  protected lost(cause: PosthasteError): void {
    this.state = 'closed'
    this.reader.stop()
    this.sender.stop()
    this.failAll(cause)
    this.gone(cause)
  }

  /** Makes a message of a frame's payload, or of its last piece, and hands it on. */
  protected deliver(stream: Stream, frame: Frame, start: number): void {
    if ((frame.flags & compressedMessage) !== 0 && !this.compresses)
      throw outOfPlace('a message is compressed, and no compression was agreed on')
    const body = this.receiver.whole(stream, frame, start)
    if (body instanceof Uint8Array) {
      if ((frame.flags & lastMessage) !== 0) stream.endReceived = true
      this.receiver.taken(stream, body.length)
      if (stream.endReceived && stream.endSent) this.finish(stream)
      stream.sink.message(body, frame.flags & messageFlags)
    } else if (body !== undefined) {
      this.#refuse(stream, body)
    }
    if (this.receiver.grant(stream)) this.sender.touch()
  }

  #message(frame: Frame): void {
    const stream = this.streams.get(frame.stream)
    const bytes = frame.end - frame.start
    this.receiver.spend(stream, frame.continued ? bytes : creditCost(bytes))
    if (stream === undefined) {
      this.checkKnown(frame.stream)
      if (this.receiver.grant(undefined)) this.sender.touch()
      return
    }
    if (stream.endReceived) throw outOfPlace(`stream ${stream.id} goes on after its last message`)
    this.touched(stream)
    this.deliver(stream, frame, frame.start)
  }

  /** The other side has worked on a stream. */
  protected touched(_stream: Stream): void {}

  #end(frame: Frame): void {
    const metadata = readEnd(frame, this.share.limits.metadataBytesMax)
    const stream = this.streams.get(frame.stream)
    if (stream === undefined) {
      this.checkKnown(frame.stream)
      return
    }
    if (stream.endReceived) throw outOfPlace(`stream ${stream.id} ends twice`)
    if (stream.unfinished !== undefined) throw outOfPlace(`stream ${stream.id} ends within a message`)
    this.touched(stream)
    stream.endReceived = true
    if (stream.endSent) this.finish(stream)
    stream.sink.ended(metadata)
  }

  #credit(frame: Frame): void {
    const bytes = readCredit(frame)
    if (frame.stream === 0) {
      this.sender.grantedAll(bytes)
      return
    }
    const stream = this.streams.get(frame.stream)
    if (stream === undefined) {
      this.checkKnown(frame.stream)
      return
    }
    this.touched(stream)
    this.sender.granted(stream, bytes)
  }

  #ping(frame: Frame): void {
    if ((frame.flags & frameFlag.ack) !== 0) return
    this.pinged()
    this.sender.writer.ping(frameFlag.ack, readPing(frame))
    this.sender.touch()
    this.checkOutput()
  }

  #goaway(frame: Frame): void {
    const { last, error } = readGoaway(frame.bytes, frame.start, frame.end)
    this.#farewell = error
    this.leaving(last, error)
  }

  /** @throws FAILED_PRECONDITION for a stream that never was; those that have ended get frames that crossed their end */
  protected checkKnown(id: number): void {
    if (id > this.lastId) throw outOfPlace(`stream ${id} was never opened`)
  }

  #refuse(stream: Stream, error: PosthasteError): void {
    this.tellFailed(stream, error)
    this.tell(stream, error)
  }

  /** Whoever sends on though it was told to wait: the stream fails, in a turn of its own. */
  #overfull(stream: Stream): void {
    this.failSoon(stream, new PosthasteError('OVERLOADED', `too much waits to be sent to ${this.pipe.name}`))
  }

  /** Fails a stream for both sides, in a turn of its own. */
  protected failSoon(stream: Stream, error: PosthasteError): void {
    this.sender.drop(stream)
    stream.closed = true
    setImmediate(() => {
      if (stream.over) return
      if (stream.carrier === this) {
        this.#refuse(stream, error)
        return
      }
      // It has moved meanwhile, and its id here may be that of another.
      stream.carrier.fail(stream, error)
      stream.sink.failed(error)
    })
  }

  /** Answers and grants are not held back by credit; whoever does not read them is not served any longer. */
  protected checkOutput(): void {
    if (!this.sender.blocked || this.sender.writer.bytes <= this.share.limits.unsentBytesMax) return
    this.#destroy('does not read what is sent to it')
  }

  #askWhetherAlive(): void {
    this.sender.writer.ping(0, pingData)
    this.sender.touch()
  }

  #destroy(message: string): void {
    this.pipe.destroy()
    this.lost(new PosthasteError('UNAVAILABLE', `${this.pipe.name} ${message}`))
  }
}

const pingData = Buffer.from('posthast', 'latin1')
