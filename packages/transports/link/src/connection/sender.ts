import type { Headers } from '@posthaste/contracts'
import type { ChunkPool } from '../wire/batch.ts'
import { creditCost, frameFlag, messageCostLeast, windowMax } from '../wire/constants.ts'
import { FrameWriter } from '../wire/frame-writer.ts'
import { outOfPlace } from '../wire/violation.ts'
import type { Pipe } from './pipe.ts'
import type { Stream, Unsent } from './stream.ts'
import { lastMessage } from './types.ts'

/** How much of the way out is filled in one turn before the others have theirs. */
const batchBytesMax = 128 * 1024

/**
 * After how many frames of one turn the first of them leave. With many calls under way, one side would otherwise work
 * only while the other waits for the whole batch; now each has half of it. The count doubles with each write of the turn,
 * so that what there is much of still leaves in large batches.
 */
const earlyFrames = 16

/** Largest piece of a message, even if the other side takes larger frames: what is on its way holds up all others. */
export const pieceBytesMost = 256 * 1024

/** What a piece of a message ended in. */
type PieceOutcome = 'sent' | 'stream waits' | 'connection waits'

/** Who is told what has left. */
export interface SenderOwner {
  /** This side of a stream has ended, and the other side will know. */
  sideEnded(stream: Stream): void
  /** A turn's bytes have left, so that there may be room for more. */
  turned(): void
  /** A sink has thrown. */
  broken(thrown: unknown): void
}

/**
 * The way out of a connection. What is written in one turn of the event loop leaves in one write, or in a few. Messages leave at once where
 * stream and connection have credit and the pipe has room; the others wait at their streams, which take turns piece by
 * piece, so that a large message never stands before small ones. Waiting messages are sent from a turn of their own, never
 * from within a call from above.
 */
export class Sender {
  readonly writer: FrameWriter
  /** What the other side still takes, on all streams together. */
  credit = 0
  /** Largest piece of a message: what the other side takes in a frame, or less. */
  frameBytesMax = 0
  /** Bytes of messages that wait. */
  unsentBytes = 0
  /** The pipe has said that the other side should read first. */
  blocked = false
  /** How often bytes were written to the pipe. */
  writes = 0
  /** How often the pipe has had room again. */
  drains = 0
  readonly #pipe: Pipe
  readonly #owner: SenderOwner
  #stopped = false
  /** Frames, or nearly so, since the last write, and how many make the next one. */
  #frames = 0
  #framesNext = earlyFrames
  #scheduled = false
  #first: Stream | undefined
  #last: Stream | undefined

  constructor(pipe: Pipe, pool: ChunkPool, owner: SenderOwner) {
    this.#pipe = pipe
    this.writer = new FrameWriter(pool)
    this.#owner = owner
  }

  /** Whether a frame may leave in this turn. */
  get open(): boolean {
    return !this.blocked && this.writer.bytes < batchBytesMax
  }

  /** Sends a message, now or later. Returns whether it left now. */
  message(stream: Stream, body: Uint8Array, flags: number): boolean {
    const { length } = body
    if (stream.firstUnsent === undefined && length <= this.frameBytesMax && this.open) {
      const cost = creditCost(length)
      if (cost <= stream.sendCredit && cost <= this.credit) {
        stream.sendCredit -= cost
        this.credit -= cost
        this.writer.message(stream.id, flags, body)
        this.touch()
        if ((flags & lastMessage) !== 0) this.#sideEnded(stream)
        return true
      }
    }
    this.enqueue(stream, { body, flags, ending: undefined, next: undefined })
    return false
  }

  /** Ends a side, after what waits. */
  end(stream: Stream, metadata: Headers): void {
    if (stream.firstUnsent !== undefined) {
      this.enqueue(stream, { body: nothing, flags: lastMessage, ending: metadata, next: undefined })
      return
    }
    this.writer.end(stream.id, metadata)
    this.touch()
    this.#sideEnded(stream)
  }

  /** Has something wait behind whatever of the stream waits already. */
  enqueue(stream: Stream, unsent: Unsent): void {
    if (stream.lastUnsent === undefined) stream.firstUnsent = unsent
    else stream.lastUnsent.next = unsent
    stream.lastUnsent = unsent
    stream.unsentBytes += unsent.body.length
    this.unsentBytes += unsent.body.length
    this.#queue(stream)
  }

  /** Forgets what waits at a stream. */
  drop(stream: Stream): void {
    this.unsentBytes -= stream.unsentBytes
    stream.unsentBytes = 0
    stream.firstUnsent = undefined
    stream.lastUnsent = undefined
    stream.sentOfFirst = 0
  }

  /** Takes a stream out of the ring at once, because it goes to another connection. */
  release(stream: Stream): void {
    this.drop(stream)
    if (!stream.queued) return
    let before: Stream | undefined
    for (let at = this.#first; at !== undefined && at !== stream; at = at.nextQueued) before = at
    if (before === undefined) this.#first = stream.nextQueued
    else before.nextQueued = stream.nextQueued
    if (this.#last === stream) this.#last = before
    stream.queued = false
    stream.nextQueued = undefined
  }

  /**
   * The other side takes more of a stream.
   * @throws FAILED_PRECONDITION when that is more than a window can be
   */
  granted(stream: Stream, bytes: number): void {
    stream.sendCredit = raised(stream.sendCredit, bytes)
    if (stream.firstUnsent !== undefined) this.#queue(stream)
  }

  /**
   * The other side takes more of the connection.
   * @throws FAILED_PRECONDITION when that is more than a window can be
   */
  grantedAll(bytes: number): void {
    this.credit = raised(this.credit, bytes)
    if (this.#first !== undefined) this.touch()
  }

  /** Something has been written, or can be: it leaves at the end of this turn, or sooner where there is much. */
  touch(): void {
    if (this.blocked) return
    if (++this.#frames >= this.#framesNext || this.writer.bytes >= batchBytesMax) {
      this.#framesNext *= 2
      this.#write()
    }
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(this.#flush)
  }

  /** Lets what is written leave now, and nothing after it. */
  finish(): void {
    if (!this.#stopped) this.#write()
    this.#stopped = true
  }

  /** Nothing leaves any more. */
  stop(): void {
    this.#stopped = true
  }

  /** The pipe has room again. */
  drained(): void {
    this.blocked = false
    this.drains++
    this.#flush()
  }

  // A property, so that scheduling it makes no closure.
  readonly #flush = (): void => {
    this.#scheduled = false
    this.#framesNext = earlyFrames
    if (this.blocked || this.#stopped) return
    try {
      this.#pump()
    } catch (thrown) {
      this.#owner.broken(thrown)
      return
    }
    const more = !this.open && this.#first !== undefined
    this.#write()
    if (more) this.touch()
    this.#owner.turned()
  }

  #write(): void {
    this.#frames = 0
    if (this.writer.bytes === 0 || this.#stopped) return
    this.writes++
    if (!this.#pipe.write(this.writer.take())) this.blocked = true
  }

  /** Sends one piece of each stream that waits, round and round, until there is no more credit, room, or piece. */
  #pump(): void {
    while (this.#first !== undefined && this.open) {
      const stream: Stream = this.#first
      const outcome = stream.firstUnsent === undefined ? 'stream waits' : this.#piece(stream, stream.firstUnsent)
      if (outcome === 'connection waits') return
      this.#first = stream.nextQueued
      if (this.#first === undefined) this.#last = undefined
      stream.nextQueued = undefined
      stream.queued = false
      if (outcome === 'stream waits') continue
      if (stream.firstUnsent !== undefined) this.#queue(stream)
      else if (!stream.closed) stream.sink.writable()
    }
  }

  #piece(stream: Stream, unsent: Unsent): PieceOutcome {
    if (unsent.ending !== undefined) {
      this.#shift(stream, unsent)
      this.writer.end(stream.id, unsent.ending)
      this.#sideEnded(stream)
      return 'sent'
    }
    const left = unsent.body.length - stream.sentOfFirst
    const bytes = Math.min(left, this.frameBytesMax, Math.max(stream.sendCredit, messageCostLeast))
    const cost = creditCost(bytes)
    if (cost > stream.sendCredit) return 'stream waits'
    if (cost > this.credit) return this.#scrap(stream, unsent)
    this.#writePiece(stream, unsent, bytes)
    return 'sent'
  }

  /** The connection has credit for less than the stream has: sends so much, where that is worth a frame. */
  #scrap(stream: Stream, unsent: Unsent): PieceOutcome {
    if (this.credit < scrapBytesLeast) return 'connection waits'
    this.#writePiece(stream, unsent, this.credit)
    return 'sent'
  }

  #writePiece(stream: Stream, unsent: Unsent, bytes: number): void {
    const start = stream.sentOfFirst
    const end = start + bytes
    const cost = creditCost(bytes)
    stream.sendCredit -= cost
    this.credit -= cost
    const { body } = unsent
    const whole = end === body.length
    const piece = bytes === body.length ? body : body.subarray(start, end)
    this.writer.message(stream.id, whole ? unsent.flags : frameFlag.more, piece)
    stream.sentOfFirst = end
    if (!whole) return
    this.#shift(stream, unsent)
    if ((unsent.flags & lastMessage) !== 0) this.#sideEnded(stream)
  }

  #shift(stream: Stream, unsent: Unsent): void {
    stream.unsentBytes -= unsent.body.length
    this.unsentBytes -= unsent.body.length
    stream.sentOfFirst = 0
    const { next } = unsent
    // One that has come to the old generation would keep all that came after it from being collected young.
    unsent.next = undefined
    stream.firstUnsent = next
    if (next === undefined) stream.lastUnsent = undefined
  }

  #sideEnded(stream: Stream): void {
    stream.endSent = true
    this.#owner.sideEnded(stream)
  }

  #queue(stream: Stream): void {
    if (!stream.queued) {
      stream.queued = true
      if (this.#last === undefined) this.#first = stream
      else this.#last.nextQueued = stream
      this.#last = stream
    }
    this.touch()
  }
}

const nothing = new Uint8Array(0)

/** Least piece that is cut because the connection has no credit for more. */
const scrapBytesLeast = 4096

function raised(credit: number, bytes: number): number {
  if (credit + bytes > windowMax) throw outOfPlace(`CREDIT raises a window above ${windowMax}`)
  return credit + bytes
}
