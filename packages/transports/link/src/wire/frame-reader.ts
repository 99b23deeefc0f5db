import { frameFlag, frameType, headerBytes, helloBytesMax, messageCostLeast, preface } from './constants.ts'
import type { Frame, FrameHandler } from './frame.ts'
import { checkHead, frameRules, type Side } from './frame-rules.ts'
import { malformed, outOfPlace, tooLarge } from './violation.ts'

const carryBytesLeast = 256

/** A frame that begins in the last quarter of a chunk is copied twice, any other once. */
const carryGrowth = 4

/** Pieces of a message of this size and above are handed on as they come: whoever puts them together copies them anyway. */
const partedBytesLeast = 16 * 1024

const nothing = Buffer.alloc(0)

/**
 * How far the opening of the connection has come: the client's preface is to come, or the other side's HELLO, or what
 * follows it but not before {@link FrameReader.accept}; `stopped` reads nothing any more.
 */
type Phase = 'preface' | 'hello' | 'greeted' | 'open' | 'stopped'

/**
 * Cuts one direction of a connection into frames, whatever chunks it comes in. Frames that lie within a chunk are read in
 * place; of a frame that does not, no more is kept than has come, and none of it is kept when its header says that it is
 * larger than the bound. A large piece of a message that comes in several chunks is handed on as several smaller pieces.
 */
export class FrameReader {
  readonly #receiver: Side
  readonly #handler: FrameHandler
  readonly #frame: Frame = {
    type: 0,
    flags: 0,
    stream: 0,
    bytes: nothing,
    start: 0,
    end: 0,
    continued: false,
    missing: 0,
  }
  #frameBytesMax = helloBytesMax
  #phase: Phase
  #prefaceBytes = 0
  /** The beginning of a frame whose rest is to come. */
  #carry: Buffer = nothing
  #carried = 0
  #frames = 0

  /** @param receiver the side that reads */
  constructor(receiver: Side, handler: FrameHandler) {
    this.#receiver = receiver
    this.#handler = handler
    this.#phase = receiver === 'server' ? 'preface' : 'hello'
  }

  /** Frames so far: one that is underway while this does not change is late. */
  get frames(): number {
    return this.#frames
  }

  /** Whether a frame, or the preface, has begun and not ended. */
  get underway(): boolean {
    return this.#carried > 0 || this.#frame.missing > 0 || (this.#phase === 'preface' && this.#prefaceBytes > 0)
  }

  /**
   * Both HELLOs are said: frames may follow, with payloads of up to `frameBytesMax`. A client calls it when it is handed
   * the server's HELLO; a server, with its own HELLO: whatever comes between is a violation.
   */
  accept(frameBytesMax: number): void {
    if (this.#phase === 'stopped') return
    this.#phase = 'open'
    this.#frameBytesMax = frameBytesMax
  }

  /** Reads no further, not even the rest of the chunk. For good. */
  stop(): void {
    this.#phase = 'stopped'
    this.#carry = nothing
    this.#carried = 0
    this.#frame.missing = 0
  }

  /**
   * Reads what has come. The chunk is the reader's from here on: frames point into it.
   * @throws BODY_MALFORMED, BODY_TOO_LARGE or FAILED_PRECONDITION when the other side violates the protocol, and whatever
   *   the handler throws; nothing is read any more then
   */
  push(chunk: Uint8Array): void {
    try {
      this.#read(Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))
    } catch (error) {
      this.stop()
      throw error
    }
  }

  #read(chunk: Buffer): void {
    let at = 0
    if (this.#phase === 'preface') at = this.#readPreface(chunk)
    if (this.#frame.missing > 0) at = this.#handMore(chunk)
    else if (this.#carried > 0) at = this.#complete(chunk)
    const { length } = chunk
    while (length - at >= headerBytes && this.#phase !== 'stopped') {
      const end = at + headerBytes + this.#lengthAt(chunk, at)
      if (end > length) break
      this.#hand(chunk, at, end)
      at = end
    }
    if (at === length || this.#phase === 'stopped') return
    if (this.#mayPart(chunk, at)) this.#handFirst(chunk, at)
    else this.#keepFirst(chunk.subarray(at))
  }

  #readPreface(chunk: Buffer): number {
    const bytes = Math.min(chunk.length, preface.length - this.#prefaceBytes)
    for (let at = 0; at < bytes; at++) {
      if (chunk[at] !== preface[this.#prefaceBytes++]) throw malformed('no link client: the preface is another')
    }
    if (this.#prefaceBytes === preface.length) this.#phase = 'hello'
    return bytes
  }

  /** Length of the payload of the frame that begins there, once it is certain that it may. */
  #lengthAt(bytes: Buffer, at: number): number {
    const length = ((bytes[at] as number) << 16) | ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number)
    if (this.#phase !== 'open') this.#checkFirst(bytes[at + 3] as number)
    if (length > this.#frameBytesMax) {
      throw tooLarge(`a frame of ${length} bytes, where at most ${this.#frameBytesMax} are taken`)
    }
    return length
  }

  #checkFirst(type: number): void {
    if (this.#phase === 'greeted') throw outOfPlace('a frame before HELLO was answered')
    if (type === frameType.hello || (type === frameType.goaway && this.#receiver === 'client')) return
    throw outOfPlace('the first frame is not HELLO')
  }

  /** Hands on the frame whose header is at `at`. */
  #hand(chunk: Buffer, at: number, end: number): void {
    const frame = this.#frame
    const type = chunk[at + 3] as number
    frame.flags = chunk[at + 4] as number
    frame.stream = chunk.readInt32BE(at + 5)
    if (frame.missing === 0) this.#frames++
    if (frame.stream < 0) throw malformed('the number of a stream is above 2^31-1')
    if (type >= frameRules.length) {
      passOver(frame, type)
      return
    }
    frame.type = type
    frame.bytes = chunk
    frame.start = at + headerBytes
    frame.end = end
    frame.continued = false
    checkHead(frame, this.#receiver)
    if (type === frameType.hello) this.#greeted()
    this.#handler.frame(frame)
  }

  #greeted(): void {
    if (this.#phase === 'open') throw outOfPlace('HELLO twice')
    this.#phase = 'greeted'
  }

  /** Whether the frame that begins there is a large piece of a message, and one with which nothing is wrong. */
  #mayPart(chunk: Buffer, at: number): boolean {
    // Less would cost other credit than the frame does.
    if (chunk.length - at < headerBytes + messageCostLeast) return false
    const isPiece = chunk[at + 3] === frameType.message && chunk[at + 4] === frameFlag.more
    return isPiece && chunk.readInt32BE(at + 5) > 0 && this.#lengthAt(chunk, at) >= partedBytesLeast
  }

  #handFirst(chunk: Buffer, at: number): void {
    this.#frame.missing = at + headerBytes + this.#lengthAt(chunk, at) - chunk.length
    this.#hand(chunk, at, chunk.length)
  }

  /** Hands on what has come of the frame whose beginning was handed on. Returns how much of the chunk belongs to it. */
  #handMore(chunk: Buffer): number {
    const frame = this.#frame
    const end = Math.min(frame.missing, chunk.length)
    frame.missing -= end
    if (frame.missing === 0) this.#frames++
    frame.bytes = chunk
    frame.start = 0
    frame.end = end
    frame.continued = true
    this.#handler.frame(frame)
    return end
  }

  /** Goes on with the frame that is underway. Returns how much of the chunk belongs to it. */
  #complete(chunk: Buffer): number {
    let at = 0
    if (this.#carried < headerBytes) {
      at = Math.min(headerBytes - this.#carried, chunk.length)
      this.#keep(chunk.subarray(0, at), headerBytes)
      if (this.#carried < headerBytes) return at
    }
    const bytes = headerBytes + this.#lengthAt(this.#carry, 0)
    const end = Math.min(chunk.length, at + bytes - this.#carried)
    this.#keep(chunk.subarray(at, end), bytes)
    if (this.#carried === bytes) {
      const whole = this.#carry
      this.#carry = nothing
      this.#carried = 0
      this.#hand(whole, 0, bytes)
    }
    return end
  }

  /** Copies the beginning of a frame. */
  #keepFirst(part: Buffer): void {
    this.#keep(part, part.length < headerBytes ? headerBytes : headerBytes + this.#lengthAt(part, 0))
  }

  /**
   * Copies a part of a frame of `whole` bytes, as far as that is known, behind what is kept of it; in memory that grows with
   * what has come, and not with what is said to come.
   */
  #keep(part: Buffer, whole: number): void {
    const bytes = this.#carried + part.length
    if (bytes > this.#carry.length) {
      const larger = Buffer.allocUnsafe(Math.max(carryBytesLeast, Math.min(bytes * carryGrowth, whole)))
      this.#carry.copy(larger, 0, 0, this.#carried)
      this.#carry = larger
    }
    part.copy(this.#carry, this.#carried)
    this.#carried = bytes
  }
}

/** A type of a later version: passed over where its sender says that it may be. */
function passOver({ flags, stream }: Frame, type: number): void {
  if (stream !== 0 && (flags & frameFlag.skippable) === 0) throw malformed(`a frame of the unknown type ${type}`)
}
