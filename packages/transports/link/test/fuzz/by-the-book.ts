import type { LinkLimits } from '../../src/connection/options.ts'
import type { StreamAcceptor } from '../../src/connection/types.ts'
import { ServerConnection } from '../../src/server/server-connection.ts'
import { ChunkPool } from '../../src/wire/batch.ts'
import { creditCost, frameFlag, frameType } from '../../src/wire/constants.ts'
import { readFailure, readGoaway } from '../../src/wire/failure.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { readCredit } from '../../src/wire/payloads.ts'
import { KeepingSink } from './keeping-sink.ts'
import type { Random } from './random.ts'
import { Fault, HandClock, OpenPipe, shareOf } from './world.ts'

/** Small ones, and fewer for the connection than all streams have together, so that each of them is reached. */
const limits = {
  connectionWindow: 65_536,
  streamWindow: 32_768,
  unconsumedBytesMax: 65_536,
  unfinishedBytesMax: 60_000,
  messageBytesMax: 40_000,
  streamsMax: 6,
} satisfies LinkLimits

const low = (window: number): number => window >>> 1
const stepsMax = 60
const sizes = [0, 1, 63, 64, 65, 700, 700, 9_000, 9_000, 20_000, 32_768] as const
const bytes = Buffer.from(Uint8Array.from({ length: 80_000 }, (_, at) => at * 31 + (at >>> 8)))
const { last, more, body, named } = frameFlag

const shared = shareOf(new HandClock(), limits)
/** One writer for all: what is written is taken in the same call. */
const writer = new FrameWriter(new ChunkPool())

/** A stream as the client has it. */
interface Ours {
  readonly id: number
  credit: number
  /** Pieces of a message that has not ended. */
  readonly pieces: Buffer[]
  unfinished: number
  ended: boolean
  over: boolean
}

/**
 * A client that keeps its own book of credit and of unfinished messages, and stays within both, now and then by a byte:
 * then it is served, and what it sent arrives as it was sent. At last it may send more than it has credit for: then it is sent away.
 */
export class BookKeeping {
  readonly #random: Random
  /** All sinks hold their credit, and hardly any is consumed: the connection has less of it than its streams. */
  readonly #isSlow: boolean
  readonly #pipe: OpenPipe
  readonly #reader: FrameReader
  readonly #streams = new Map<number, Ours>()
  readonly #sinks = new Map<number, KeepingSink>()
  readonly #failed = new Map<number, string>()
  #credit = limits.connectionWindow
  #lastId = 0
  #goaway: string | undefined
  /** The connection has had more credit since the last step. */
  #hasGranted = false

  constructor(random: Random) {
    this.#random = random
    this.#isSlow = random.once(3)
    this.#reader = new FrameReader('client', { frame: (frame) => this.#heard(frame) })
    this.#pipe = new OpenPipe((piece) => {
      this.#reader.push(piece)
      return true
    })
    const share = {
      ...shared,
      accept: this.#accept,
      codecs: ['application/json'],
      compressAboveBytes: undefined,
      methodsMax: 2,
      agent: 'fuzz',
      authenticate: () => undefined,
      admit: () => undefined,
      gone: () => undefined,
    }
    new ServerConnection(this.#pipe, { address: '', certificate: undefined, key: 'fuzz' }, share)
    writer.preface()
    writer.hello(Buffer.from(JSON.stringify({ versions: [1], agent: 'fuzz' })))
    this.#say()
  }

  /** @throws Fault naming the step after which the server did what it should not have done */
  check(): void {
    for (let left = this.#random.below(stepsMax); left > 0; left--) {
      const done = this.#step()
      this.#audit(done)
    }
    if (this.#random.once(2)) this.#overspend()
    this.#pipe.events?.closed(undefined)
  }

  #step(): string {
    const random = this.#random
    const dice = random.below(100)
    const live = [...this.#streams.values()].filter(({ over }) => !over)
    if (live.length === 0 || (dice < 15 && live.length < limits.streamsMax)) return this.#open()
    const stream = random.pick(live)
    const sink = this.#sinks.get(stream.id) as KeepingSink
    if (dice < 70) return stream.ended ? this.#late() : this.#message(stream)
    if (dice < 75) return this.#cancel(stream)
    if (dice < 78) return this.#late()
    if (dice < 82) return this.#fromAbove(stream, () => sink.fail())
    if (dice < 86) return this.#fromAbove(stream, () => sink.end())
    return this.#isSlow && dice < 97 ? 'nothing' : this.#fromAbove(stream, () => sink.consume())
  }

  #open(): string {
    const id = ++this.#lastId
    const stream: Ours = { id, credit: limits.streamWindow, pieces: [], unfinished: 0, ended: false, over: false }
    this.#streams.set(id, stream)
    const size = this.#random.once(3) ? undefined : this.#sizeFor(stream)
    const number = this.#isSlow ? 0 : this.#random.below(2)
    const opening = {
      method: number,
      name: number === 0 ? 'hold' : 'take',
      timeoutMs: undefined,
      codec: 0,
      metadata: {},
    }
    if (size === undefined) {
      writer.open(id, named, { ...opening, body: undefined })
      this.#say()
      return 'an OPEN without a message'
    }
    return this.#carry(stream, size, (flags, payload) =>
      writer.open(id, flags | named | body, { ...opening, body: payload }),
    )
  }

  #message(stream: Ours): string {
    const size = this.#sizeFor(stream)
    if (size === undefined) return 'nothing, for want of credit'
    return this.#carry(stream, size, (flags, payload) => writer.message(stream.id, flags, payload))
  }

  /** A message, or a piece of one, that there is credit for, and what is to become of it. */
  #carry(stream: Ours, size: number, write: (flags: number, payload: Buffer) => void): string {
    const start = this.#random.below(1_000)
    const payload = bytes.subarray(start, start + size)
    const flags = size > 0 && this.#random.once(2) ? more : this.#random.once(8) ? last : 0
    const unfinished = this.#unfinished()
    const sink = this.#sinks.get(stream.id)
    const before = sink?.messages ?? 0
    this.#spend(stream, size)
    const inPieces = flags === more || stream.unfinished > 0
    const tooLarge = stream.unfinished + size > limits.messageBytesMax
    const tooMuch = inPieces && unfinished + size > limits.unfinishedBytesMax
    write(flags, payload)
    this.#say()
    const what = `${size} bytes with flags ${flags} on stream ${stream.id}, behind ${stream.unfinished} of ${unfinished}`
    const refused = this.#failed.get(stream.id)
    if (tooLarge || tooMuch) {
      const code = tooLarge ? 'BODY_TOO_LARGE' : 'OVERLOADED'
      if (refused !== code) throw new Fault(`${what}: ${refused ?? 'taken'}, which should have been ${code}`)
      this.#forget(stream)
      return what
    }
    if (refused !== undefined) throw new Fault(`${what}: refused as ${refused}`)
    stream.pieces.push(payload)
    stream.unfinished += size
    if (flags === more) return what
    const whole = Buffer.concat(stream.pieces)
    stream.pieces.length = 0
    stream.unfinished = 0
    if (flags === last) stream.ended = true
    const kept = this.#sinks.get(stream.id) as KeepingSink
    if (kept.messages !== before + 1 || !whole.equals(kept.latest)) throw new Fault(`${what}: did not arrive as it was`)
    this.#settle(stream)
    return what
  }

  /** What was on its way when its stream ended: ignored, and paid for all the same. */
  #late(): string {
    const over = [...this.#streams.values()].filter((stream) => stream.over)
    const size = this.#random.pick([0, 65, 5_000])
    if (over.length === 0 || creditCost(size) > this.#credit) return 'nothing'
    this.#credit -= creditCost(size)
    writer.message(this.#random.pick(over).id, this.#random.pick([0, last]), bytes.subarray(0, size))
    this.#say()
    return `${size} bytes that were late`
  }

  #cancel(stream: Ours): string {
    writer.cancel(stream.id, 0)
    this.#forget(stream)
    this.#say()
    return `a CANCEL of stream ${stream.id}`
  }

  #fromAbove(stream: Ours, act: () => void): string {
    act()
    this.#flush()
    if (this.#failed.has(stream.id)) this.#forget(stream)
    else this.#settle(stream)
    return `what the sink of stream ${stream.id} did`
  }

  /** Sends a little more than there is credit for, on the stream or on the connection. */
  #overspend(): void {
    const open = [...this.#streams.values()].filter((each) => !each.over && !each.ended)
    const stream = open.find((each) => each.credit > this.#credit) ?? open[0]
    if (stream === undefined) return
    const credit = Math.min(stream.credit, this.#credit)
    const size = credit < 64 ? 0 : credit + this.#random.pick([1, 1, 64, 1_000])
    writer.message(stream.id, 0, bytes.subarray(0, size))
    this.#say()
    const what = `${size} bytes with credit for ${stream.credit} on the stream and ${this.#credit} on the connection`
    if (this.#goaway !== 'FAILED_PRECONDITION') throw new Fault(`${what}: ${this.#goaway ?? 'taken'}`)
  }

  /** A size that there is credit for, now and then all of it, or as much as a bound has room for, or a byte more. */
  #sizeFor(stream: Ours): number | undefined {
    const random = this.#random
    const credit = Math.min(stream.credit, this.#credit)
    const ofMessage = limits.messageBytesMax - stream.unfinished
    const ofAll = limits.unfinishedBytesMax - this.#unfinished()
    const size = random.once(4) ? random.pick([credit, ofMessage, ofMessage + 1, ofAll, ofAll + 1]) : random.pick(sizes)
    return creditCost(size) <= credit ? size : undefined
  }

  #spend(stream: Ours, size: number): void {
    stream.credit -= creditCost(size)
    this.#credit -= creditCost(size)
  }

  #unfinished(): number {
    let sum = 0
    for (const stream of this.#streams.values()) if (!stream.over) sum += stream.unfinished
    return sum
  }

  /** A stream that both sides have ended is over. */
  #settle(stream: Ours): void {
    if (stream.ended && this.#sinks.get(stream.id)?.hasEnded === true) this.#forget(stream)
  }

  #forget(stream: Ours): void {
    stream.over = true
    stream.pieces.length = 0
    stream.unfinished = 0
  }

  #say(): void {
    for (const piece of writer.take()) this.#pipe.events?.received(piece)
    this.#flush()
  }

  /** Has everything that the server has to say be heard at once: what it has granted is then known to the byte. */
  #flush(): void {
    this.#pipe.events?.drained()
  }

  #heard(frame: Frame): void {
    const { type, stream } = frame
    if (type === frameType.hello) this.#reader.accept(0xff_ffff)
    else if (type === frameType.credit && stream === 0) this.#granted(readCredit(frame))
    else if (type === frameType.credit) (this.#streams.get(stream) as Ours).credit += readCredit(frame)
    else if (type === frameType.error) this.#failed.set(stream, readFailure(frame.bytes, frame.start, frame.end).code)
    else if (type === frameType.goaway)
      this.#goaway = readGoaway(frame.bytes, frame.start, frame.end).error?.code ?? 'none'
  }

  #granted(credit: number): void {
    this.#credit += credit
    this.#hasGranted = true
  }

  /** Holds credit to the rules of its return: half a window at a time, as soon as that is owed, and never more than the window. */
  #audit(done: string): void {
    const wrong = (what: string): never => {
      throw new Fault(`${what}, after ${done}`)
    }
    if (this.#goaway !== undefined || this.#pipe.closed) wrong(`the connection was ended (${this.#goaway})`)
    let held = 0
    for (const { id, over, credit, ended } of this.#streams.values()) {
      if (over) continue
      const sinkHolds = this.#sinks.get(id)?.held ?? 0
      held += sinkHolds
      if (credit > limits.streamWindow) wrong(`stream ${id} has credit for ${credit}`)
      const owed = limits.streamWindow - credit - sinkHolds
      if (!ended && credit <= low(limits.streamWindow) && owed >= low(limits.streamWindow))
        wrong(`stream ${id} is owed ${owed}`)
    }
    const owed = limits.connectionWindow - this.#credit - Math.max(0, held - limits.unconsumedBytesMax)
    const most = this.#hasGranted ? this.#credit + owed : limits.connectionWindow
    if (this.#credit > most) wrong(`the connection has credit for ${this.#credit} while ${held} are held`)
    this.#hasGranted = false
    if (this.#credit <= low(limits.connectionWindow) && owed >= low(limits.connectionWindow))
      wrong(`the connection is owed ${owed}`)
  }

  readonly #accept: StreamAcceptor = ({ method }, stream) => {
    const sink = new KeepingSink(stream, method === 'hold')
    this.#sinks.set(this.#lastId, sink)
    return sink
  }
}
