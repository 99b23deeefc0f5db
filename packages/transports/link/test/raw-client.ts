import { ChunkPool } from '../src/wire/batch.ts'
import { frameFlag, frameType, helloDefaults } from '../src/wire/constants.ts'
import { readFailure, readGoaway } from '../src/wire/failure.ts'
import type { Frame } from '../src/wire/frame.ts'
import { FrameReader } from '../src/wire/frame-reader.ts'
import { FrameWriter } from '../src/wire/frame-writer.ts'
import { encodeClientHello } from '../src/wire/hello.ts'
import { noMetadata } from '../src/wire/metadata.ts'

const names = Object.fromEntries(Object.entries(frameType).map(([name, type]) => [type, name]))

/** A client that sends what it is told to, be it allowed or not, and writes down what it is sent. */
export class RawClient {
  readonly writer = new FrameWriter(new ChunkPool())
  /** Frames that came, as text: `hello`, `message 3`, `goaway RATE_LIMITED`, `credit 0`. */
  readonly told: string[] = []
  closed = false
  readonly #reader: FrameReader
  readonly #write: (bytes: Uint8Array) => void

  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write
    this.#reader = new FrameReader('client', { frame: (frame) => this.#note(frame) })
  }

  received(chunk: Uint8Array): void {
    this.#reader.push(chunk)
  }

  greet(hello: object = {}): void {
    const { frameBytesMax, metadataBytesMax, streamWindow, connectionWindow } = helloDefaults
    const base = { versions: [1], agent: 'raw', frameBytesMax, metadataBytesMax, streamWindow, connectionWindow }
    this.writer.preface()
    this.writer.hello(encodeClientHello({ ...base, compression: [], ...hello }))
    this.flush()
  }

  open(id: number, body: Uint8Array | undefined = Buffer.from('x'), flags: number = frameFlag.last): void {
    const opening = { method: 0xffff, name: 'a/b', timeoutMs: undefined, codec: 0, metadata: noMetadata, body }
    this.writer.open(id, flags, opening)
  }

  flush(): void {
    for (const piece of this.writer.take()) this.#write(piece)
  }

  bytes(...bytes: readonly number[]): void {
    this.#write(Uint8Array.from(bytes))
  }

  #note(frame: Frame): void {
    const { type, stream, bytes, start, end, flags } = frame
    const name = names[type] as string
    if (type === frameType.hello) this.#reader.accept(1 << 20)
    if (type === frameType.goaway) {
      const { last, error } = readGoaway(bytes, start, end)
      this.told.push(`goaway ${last}${error === undefined ? '' : ` ${error.code}`}`)
    } else if (type === frameType.error) {
      const untouched = (flags & frameFlag.untouched) === 0 ? '' : ' untouched'
      this.told.push(`error ${stream} ${readFailure(bytes, start, end).code}${untouched}`)
    } else {
      this.told.push(stream === 0 ? name : `${name} ${stream}`)
    }
  }
}
