import type { Headers } from '@posthaste/contracts'
import { Batch, type ChunkPool } from './batch.ts'
import { frameFlag, frameType, headerBytes, helloDefaults, noTimeout, preface } from './constants.ts'
import { metadataBytes, noMetadata, writeMetadata } from './metadata.ts'
import { type Opening, openingFixedBytes } from './opening.ts'

/** Bodies of this size and above go into a batch by reference, because one more piece costs less than the copy. */
const referredBytesLeast = 4096

/** What {@link FrameWriter.open} writes. The caller may fill one object again and again. */
export interface OutgoingOpening extends Opening {
  /** The first message, or its first piece; undefined where there is none yet. */
  body: Uint8Array | undefined
}

/**
 * Writes frames into a batch, which leaves the socket in one write. Bodies of 4 KiB and above are referred to, so nobody
 * changes them before they have left. What the other side takes is the caller's to keep to (frames, credit); only
 * metadata is measured here, before a byte of its frame is written.
 */
export class FrameWriter {
  /** Bytes of metadata the other side takes in a block, as its HELLO said. */
  metadataBytesMax: number = helloDefaults.metadataBytesMax
  readonly #batch: Batch
  /** Where the frame that is being written begins in the batch's memory. */
  #at = 0

  constructor(pool: ChunkPool) {
    this.#batch = new Batch(pool)
  }

  /** Bytes that wait for {@link take}. */
  get bytes(): number {
    return this.#batch.bytes
  }

  /** Everything written since the last time, in order, as pieces for one `writev`; empty where there is nothing. */
  take(): Uint8Array[] {
    return this.#batch.take()
  }

  /** What a client sends before its HELLO. */
  preface(): void {
    const at = this.#batch.reserve(preface.length)
    this.#batch.memory.set(preface, at)
  }

  /** HELLO; the payload is that of `encodeClientHello` or `encodeServerHello`. */
  hello(payload: Uint8Array): void {
    this.#frame(frameType.hello << 8, 0, payload)
  }

  /**
   * OPEN.
   * @param flags of `frameFlag`: `last`, `compressed`, `more`; `named` and `body` follow from the opening
   * @throws INVALID_ARGUMENT when the metadata cannot be sent; nothing is written then
   */
  open(stream: number, flags: number, opening: OutgoingOpening): void {
    const { name, body, metadata, timeoutMs, method } = opening
    const nameBytes = name === undefined ? 0 : 1 + Buffer.byteLength(name, 'utf8')
    const pairsBytes = metadata === noMetadata ? 2 : metadataBytes(metadata, this.metadataBytesMax)
    const before = nameBytes + openingFixedBytes + pairsBytes
    const bodyBytes = body === undefined ? 0 : body.length
    const copied = bodyBytes < referredBytesLeast ? bodyBytes : 0
    const kind =
      (frameType.open << 8) |
      flags |
      (name === undefined ? 0 : frameFlag.named) |
      (body === undefined ? 0 : frameFlag.body)
    this.#at = this.#batch.reserve(headerBytes + before + copied)
    let at = this.#header(kind, stream, before + bodyBytes)
    const { memory } = this.#batch
    memory[at++] = method >>> 8
    memory[at++] = method
    if (name !== undefined) {
      memory[at] = nameBytes - 1
      memory.write(name, at + 1)
      at += nameBytes
    }
    memory.writeUInt32BE(timeoutMs === undefined ? noTimeout : timeoutMs, at)
    memory[at + 4] = opening.codec
    at = metadata === noMetadata ? zeroPairs(memory, at + 5) : writeMetadata(metadata, memory, at + 5)
    if (body !== undefined) this.#put(body, at)
  }

  /** MESSAGE, a whole message or a piece of one. */
  message(stream: number, flags: number, body: Uint8Array): void {
    this.#frame((frameType.message << 8) | flags, stream, body)
  }

  /**
   * END.
   * @throws INVALID_ARGUMENT when the metadata cannot be sent; nothing is written then
   */
  end(stream: number, metadata: Headers = noMetadata): void {
    const bytes = metadata === noMetadata ? 2 : metadataBytes(metadata, this.metadataBytesMax)
    this.#at = this.#batch.reserve(headerBytes + bytes)
    const at = this.#header(frameType.end << 8, stream, bytes)
    if (metadata === noMetadata) zeroPairs(this.#batch.memory, at)
    else writeMetadata(metadata, this.#batch.memory, at)
  }

  /** ERROR; the payload is that of `encodeFailure`. */
  error(stream: number, flags: number, payload: Uint8Array): void {
    this.#frame((frameType.error << 8) | flags, stream, payload)
  }

  /** CANCEL, with one of `cancelReason`. */
  cancel(stream: number, reason: number): void {
    this.#at = this.#batch.reserve(headerBytes + 1)
    const at = this.#header(frameType.cancel << 8, stream, 1)
    this.#batch.memory[at] = reason
  }

  /** CREDIT for so many bytes, 1 to 2^31-1, on a stream or, with 0, the connection. */
  credit(stream: number, bytes: number): void {
    this.#at = this.#batch.reserve(headerBytes + 4)
    const at = this.#header(frameType.credit << 8, stream, 4)
    this.#batch.memory.writeUInt32BE(bytes, at)
  }

  /** PING, or its answer, with 8 bytes. */
  ping(flags: number, data: Uint8Array): void {
    this.#frame((frameType.ping << 8) | flags, 0, data)
  }

  /** GOAWAY; the payload is that of `encodeGoaway`. */
  goaway(payload: Uint8Array): void {
    this.#frame(frameType.goaway << 8, 0, payload)
  }

  #frame(kind: number, stream: number, payload: Uint8Array): void {
    const { length } = payload
    this.#at = this.#batch.reserve(headerBytes + (length < referredBytesLeast ? length : 0))
    this.#put(payload, this.#header(kind, stream, length))
  }

  /**
   * Writes a header where {@link Batch.reserve} made room.
   * @param kind type and flags as one number
   * @param bytes of the payload
   * @returns the offset after it
   */
  #header(kind: number, stream: number, bytes: number): number {
    const { memory } = this.#batch
    const at = this.#at
    memory[at] = bytes >>> 16
    memory[at + 1] = bytes >>> 8
    memory[at + 2] = bytes
    memory[at + 3] = kind >>> 8
    memory[at + 4] = kind
    memory[at + 5] = stream >>> 24
    memory[at + 6] = stream >>> 16
    memory[at + 7] = stream >>> 8
    memory[at + 8] = stream
    return at + headerBytes
  }

  /** The last bytes of a frame, copied to where room was made for them, or referred to. */
  #put(bytes: Uint8Array, at: number): void {
    if (bytes.length < referredBytesLeast) this.#batch.memory.set(bytes, at)
    else this.#batch.refer(bytes)
  }
}

function zeroPairs(memory: Buffer, at: number): number {
  memory[at] = 0
  memory[at + 1] = 0
  return at + 2
}
