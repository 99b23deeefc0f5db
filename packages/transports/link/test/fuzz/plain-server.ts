import { crc32 } from 'node:zlib'
import type { Headers, PosthasteError } from '@posthaste/contracts'
import { ChunkPool } from '../../src/wire/batch.ts'
import { frameFlag, frameType } from '../../src/wire/constants.ts'
import { encodeFailure, encodeGoaway } from '../../src/wire/failure.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { emptyOpening, readOpening } from '../../src/wire/opening.ts'
import { readEnd } from '../../src/wire/payloads.ts'
import { Fault, OpenPipe } from './world.ts'

/** What was said on a stream, message by message and in short, so that it compares. */
export type Said = readonly string[]

/** A message in short. */
export function messageInShort(body: Uint8Array, isLast: boolean): string {
  return `${body.length} bytes ${crc32(body)}${isLast ? ' last' : ''}`
}

/** An end without a message in short. */
export function endInShort(metadata: Headers): string {
  return `end ${JSON.stringify(metadata)}`
}

/** A stream as a server hears of it. */
export interface Heard {
  readonly method: string
  readonly metadata: string
  readonly timeoutMs: number | undefined
  readonly said: string[]
  /** Pieces of a message that goes on. */
  readonly pieces: Buffer[]
}

/** What a server takes. */
export interface Windows {
  readonly streamWindow: number
  readonly connectionWindow: number
}

const metadataBytesMax = 16_384
const muchCredit = 4_000_000
const { body, last, more } = frameFlag

/** One writer for all: what is written is taken in the same call. */
const writer = new FrameWriter(new ChunkPool())

/** A server that does nothing by itself: it hears what a client says, and says what it is told to. */
export class PlainServer {
  readonly pipe: OpenPipe
  readonly heard = new Map<number, Heard>()
  readonly #reader: FrameReader
  readonly #methods: string[] = []
  readonly #opening = emptyOpening()
  readonly #done = new Set<number>()
  #bytes = 0
  /** Kept, because whoever calls from within a connection is not the one who is told. */
  #fault: unknown

  constructor(hasRoom: () => boolean) {
    this.#reader = new FrameReader('server', { frame: (frame) => this.#frame(frame) })
    this.pipe = new OpenPipe((piece) => {
      this.#bytes += piece.length
      try {
        this.#reader.push(piece)
      } catch (fault) {
        this.#fault ??= fault
      }
      return hasRoom()
    })
  }

  greet(windows: Windows): void {
    const hello = { version: 1, agent: 'fuzz', codecs: ['application/json'], ...windows }
    this.flush()
    this.#reader.accept(0xff_ffff)
    writer.hello(Buffer.from(JSON.stringify(hello)))
    this.#say()
  }

  grant(stream: number, bytes = muchCredit): void {
    writer.credit(stream, bytes)
    this.#say()
  }

  message(stream: number, message: Uint8Array, isLast: boolean): void {
    writer.message(stream, isLast ? last : 0, message)
    this.#say()
  }

  fail(stream: number, error: PosthasteError): void {
    writer.error(stream, 0, encodeFailure(error, metadataBytesMax))
    this.#say()
  }

  goaway(lastWorkedOn: number): void {
    writer.goaway(encodeGoaway({ last: lastWorkedOn, error: undefined }))
    this.#say()
  }

  /** Says what was wrong with what was heard, if anything. */
  check(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  /** Nothing more may be heard of a stream from here on. */
  doneWith(stream: number): void {
    this.#done.add(stream)
  }

  /** Has the client send all that it may send now, without waiting for a turn of the event loop. */
  flush(): void {
    for (let before = -1; before < this.#bytes; ) {
      before = this.#bytes
      this.pipe.events?.drained()
    }
  }

  #say(): void {
    for (const piece of writer.take()) this.pipe.events?.received(piece)
    this.flush()
  }

  #frame(frame: Frame): void {
    const { type, stream, flags, bytes, end } = frame
    if (this.#done.has(stream)) throw new Fault(`a frame ${type} on stream ${stream}, which has moved`)
    if (type === frameType.open) this.#open(frame)
    const heard = this.heard.get(stream)
    if (stream === 0 || type === frameType.cancel) return
    if (heard === undefined) throw new Fault(`a frame ${type} on stream ${stream}, which was never opened`)
    if (type === frameType.end) heard.said.push(endInShort(readEnd(frame, metadataBytesMax)))
    const isMessage = type === frameType.message || (type === frameType.open && (flags & body) !== 0)
    if (type === frameType.open && !isMessage && (flags & last) !== 0) heard.said.push(endInShort({}))
    if (!isMessage) return
    const start = type === frameType.open ? this.#opening.bodyStart : frame.start
    heard.pieces.push(Buffer.from(bytes.subarray(start, end)))
    if ((flags & more) !== 0) return
    heard.said.push(messageInShort(Buffer.concat(heard.pieces), (flags & last) !== 0))
    heard.pieces.length = 0
  }

  #open(frame: Frame): void {
    const opening = this.#opening
    readOpening({ frame, metadataBytesMax, into: opening })
    if (opening.name !== undefined) this.#methods[opening.method] = opening.name
    const { method, timeoutMs, metadata } = opening
    const heard = { method: this.#methods[method] ?? 'none', metadata: JSON.stringify(metadata), timeoutMs }
    this.heard.set(frame.stream, { ...heard, said: [], pieces: [] })
  }
}
