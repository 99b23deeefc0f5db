import { creditCost, frameFlag, frameType } from '../../src/wire/constants.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import type { Side } from '../../src/wire/frame-rules.ts'
import { emptyOpening, readOpening } from '../../src/wire/opening.ts'
import { readCredit } from '../../src/wire/payloads.ts'
import type { Input } from './inputs.ts'
import { readPayload } from './reading.ts'
import { Fault } from './world.ts'

const frameBytesAny = 0xff_ffff

/** Reads what one of ours says to a peer that may say anything, and holds it to the protocol all the same. */
export class Overhearing {
  readonly #sender: Side
  readonly #hello: Input['hello']
  readonly #reader: FrameReader
  readonly #ended = new Set<number>()
  readonly #over = new Set<number>()
  readonly #opening = emptyOpening()
  /** Kept, because whoever calls from within a connection is not the one who is told. */
  #fault: unknown
  readonly #spent = new Map<number, number>()

  constructor(sender: Side, hello: Input['hello']) {
    this.#sender = sender
    this.#hello = hello
    this.#reader = new FrameReader(sender === 'server' ? 'client' : 'server', { frame: (frame) => this.#frame(frame) })
  }

  hear(bytes: Uint8Array): void {
    try {
      this.#reader.push(bytes)
    } catch (fault) {
      this.#fault ??= fault
    }
  }

  /**
   * Says what was wrong with what was sent, if anything, and holds it against the credit that the peer gave.
   * @param granted by stream, 0 for the connection
   */
  check(granted: ReadonlyMap<number, number>): void {
    if (this.#fault !== undefined) throw this.#fault
    if (this.#hello === undefined) return
    const { connectionWindow, streamWindow } = this.#hello
    for (const [stream, spent] of this.#spent) {
      const window = (stream === 0 ? connectionWindow : streamWindow) + (granted.get(stream) ?? 0)
      if (spent > window) throw new Fault(`${spent} were sent on ${stream}, with credit for ${window}`)
    }
  }

  #frame(frame: Frame): void {
    const { type, stream, flags } = frame
    const bytes = frame.end - frame.start
    readPayload(frame, this.#sender)
    if (type === frameType.hello) this.#reader.accept(frameBytesAny)
    else if (bytes > (this.#hello?.frameBytesMax ?? frameBytesAny)) throw new Fault(`a frame of ${bytes} bytes`)
    if (type === frameType.open) this.#opened(frame)
    if (stream === 0 || type === frameType.credit) return
    if (this.#over.has(stream)) throw new Fault(`a frame ${type} on stream ${stream}, which is over`)
    if (type === frameType.error || type === frameType.cancel) this.#over.add(stream)
    else if (this.#ended.has(stream)) throw new Fault(`a frame ${type} after the end of ${stream}`)
    if (type === frameType.message) this.#spend(stream, creditCost(bytes))
    if (type === frameType.end || (flags & frameFlag.last) !== 0) this.#ended.add(stream)
  }

  #opened(frame: Frame): void {
    readOpening({ frame, metadataBytesMax: 16_384, into: this.#opening })
    if ((frame.flags & frameFlag.body) !== 0) this.#spend(frame.stream, creditCost(frame.end - this.#opening.bodyStart))
  }

  #spend(stream: number, cost: number): void {
    for (const window of [stream, 0]) this.#spent.set(window, (this.#spent.get(window) ?? 0) + cost)
  }
}

/** The credit that an input gives, by stream, as far as it can be read. */
export function grantedBy({ sender, bytes }: Input): ReadonlyMap<number, number> {
  const granted = new Map<number, number>()
  const reader = new FrameReader(sender === 'client' ? 'server' : 'client', {
    frame(frame) {
      if (frame.type === frameType.hello) reader.accept(65_536)
      if (frame.type !== frameType.credit) return
      granted.set(frame.stream, (granted.get(frame.stream) ?? 0) + readCredit(frame))
    },
  })
  try {
    reader.push(bytes)
  } catch {
    // As far as it can be read.
  }
  return granted
}
