import { errorCodes, type Headers, PosthasteError } from '@posthaste/contracts'
import { ChunkPool } from '../src/wire/batch.ts'
import { frameFlag, frameType } from '../src/wire/constants.ts'
import { encodeFailure, encodeGoaway, readFailure, readGoaway } from '../src/wire/failure.ts'
import type { Frame } from '../src/wire/frame.ts'
import { FrameReader } from '../src/wire/frame-reader.ts'
import type { Side } from '../src/wire/frame-rules.ts'
import { FrameWriter } from '../src/wire/frame-writer.ts'
import { emptyOpening, readOpening } from '../src/wire/opening.ts'
import { readCancelReason, readCredit, readEnd, readPing } from '../src/wire/payloads.ts'
import { readObject } from '../src/wire/text.ts'

/*
 * Frames as plain data that JSON can say, for the test vectors of the reference, for properties and for fuzzing. Bytes
 * are text in hexadecimal.
 */

/** A frame as plain data; flags by name, in the order of their bits. */
export type PlainFrame =
  | { type: 'HELLO'; payload: Readonly<Record<string, unknown>> }
  | ({ type: 'OPEN'; stream: number; flags: readonly MessageFlag[] } & PlainOpening)
  | { type: 'MESSAGE'; stream: number; flags: readonly MessageFlag[]; body: string }
  | { type: 'END'; stream: number; metadata: Headers }
  | { type: 'ERROR'; stream: number; flags: readonly 'UNTOUCHED'[]; payload: PlainFailure }
  | { type: 'CANCEL'; stream: number; reason: number }
  | { type: 'CREDIT'; stream: number; bytes: number }
  | { type: 'PING'; flags: readonly 'ACK'[]; data: string }
  | { type: 'GOAWAY'; last: number; payload?: PlainFailure }

/** Flags of a message; BODY and NAMED follow from what an opening has. */
export type MessageFlag = 'LAST' | 'COMPRESSED' | 'MORE'

interface PlainOpening {
  readonly method: number
  readonly name?: string
  readonly timeoutMs?: number
  readonly codec: number
  readonly metadata: Headers
  readonly body?: string
}

/** The members of a failure that the frames say; an absent one is the code's own. */
export interface PlainFailure {
  readonly code: string
  readonly message: string
  readonly remedy?: string
  readonly verdict?: string
  readonly details?: Readonly<Record<string, unknown>>
  readonly retryAfterMs?: number
}

const flagBits = { LAST: frameFlag.last, COMPRESSED: frameFlag.compressed, MORE: frameFlag.more } as const

const bitsOf = (flags: readonly MessageFlag[]) => flags.reduce((bits, flag) => bits | flagBits[flag], 0)

function flagsOf(bits: number): MessageFlag[] {
  return (Object.keys(flagBits) as MessageFlag[]).filter((flag) => (bits & flagBits[flag]) !== 0)
}

/** Writes a frame from what it says. */
export function writePlain(writer: FrameWriter, frame: PlainFrame): void {
  switch (frame.type) {
    case 'HELLO':
      writer.hello(Buffer.from(JSON.stringify(frame.payload)))
      break
    case 'OPEN': {
      const { method, name, timeoutMs, codec, metadata, body } = frame
      const bytes = body === undefined ? undefined : Buffer.from(body, 'hex')
      writer.open(frame.stream, bitsOf(frame.flags), { method, name, timeoutMs, codec, metadata, body: bytes })
      break
    }
    case 'MESSAGE':
      writer.message(frame.stream, bitsOf(frame.flags), Buffer.from(frame.body, 'hex'))
      break
    case 'END':
      writer.end(frame.stream, frame.metadata)
      break
    case 'ERROR': {
      const payload = encodeFailure(errorOf(frame.payload), 16 * 1024)
      writer.error(frame.stream, frame.flags.length === 0 ? 0 : frameFlag.untouched, payload)
      break
    }
    case 'CANCEL':
      writer.cancel(frame.stream, frame.reason)
      break
    case 'CREDIT':
      writer.credit(frame.stream, frame.bytes)
      break
    case 'PING':
      writer.ping(frame.flags.length === 0 ? 0 : frameFlag.ack, Buffer.from(frame.data, 'hex'))
      break
    case 'GOAWAY': {
      const error = frame.payload === undefined ? undefined : errorOf(frame.payload)
      writer.goaway(encodeGoaway({ last: frame.last, error }))
      break
    }
  }
}

function errorOf({ code, message, ...options }: PlainFailure): PosthasteError {
  return new PosthasteError(code as 'INTERNAL', message, options as { remedy?: string })
}

function failureOf(error: PosthasteError): PlainFailure {
  const { code, message, details, retryAfterMs } = error
  const own = errorCodes[code]
  const remedy = error.remedy === own.remedy ? undefined : error.remedy
  const verdict = error.verdict === own.verdict ? undefined : error.verdict
  const said = { code, message: message.replace(`[${code}] `, ''), remedy, verdict, details, retryAfterMs }
  return JSON.parse(JSON.stringify(said)) as PlainFailure
}

/** What a frame says. */
export function readPlain(frame: Frame, metadataBytesMax = 16 * 1024): PlainFrame {
  const { bytes, start, end, stream, flags } = frame
  switch (frame.type) {
    case frameType.hello:
      return { type: 'HELLO', payload: readObject(bytes, start, end) }
    case frameType.open:
      return readPlainOpening(frame, metadataBytesMax)
    case frameType.message:
      return { type: 'MESSAGE', stream, flags: flagsOf(flags), body: bytes.toString('hex', start, end) }
    case frameType.end:
      return { type: 'END', stream, metadata: readEnd(frame, metadataBytesMax) }
    case frameType.error: {
      const payload = failureOf(readFailure(bytes, start, end))
      return { type: 'ERROR', stream, flags: flags === 0 ? [] : ['UNTOUCHED'], payload }
    }
    case frameType.cancel:
      return { type: 'CANCEL', stream, reason: readCancelReason(frame) }
    case frameType.credit:
      return { type: 'CREDIT', stream, bytes: readCredit(frame) }
    case frameType.ping:
      return { type: 'PING', flags: flags === 0 ? [] : ['ACK'], data: Buffer.from(readPing(frame)).toString('hex') }
    default: {
      const { last, error } = readGoaway(bytes, start, end)
      return error === undefined ? { type: 'GOAWAY', last } : { type: 'GOAWAY', last, payload: failureOf(error) }
    }
  }
}

function readPlainOpening(frame: Frame, metadataBytesMax: number): PlainFrame {
  const into = emptyOpening()
  readOpening({ frame, metadataBytesMax, into })
  const { method, name, timeoutMs, codec, metadata } = into
  const hasBody = (frame.flags & frameFlag.body) !== 0
  return {
    type: 'OPEN',
    stream: frame.stream,
    flags: flagsOf(frame.flags),
    method,
    ...(name === undefined ? {} : { name }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    codec,
    metadata,
    ...(hasBody ? { body: frame.bytes.toString('hex', into.bodyStart, frame.end) } : {}),
  }
}

/** The bytes of frames, after the preface where it is asked for. */
export function bytesOf(frames: readonly PlainFrame[], { preface = false } = {}): Buffer {
  const writer = new FrameWriter(new ChunkPool(1024))
  if (preface) writer.preface()
  for (const frame of frames) writePlain(writer, frame)
  return Buffer.concat(writer.take())
}

/** A reader that notes what it reads as plain data, and accepts frames of 64 KiB after the first HELLO. */
export function noting(receiver: Side): { readonly reader: FrameReader; readonly frames: PlainFrame[] } {
  const frames: PlainFrame[] = []
  const reader = new FrameReader(receiver, {
    frame(frame) {
      frames.push(readPlain(frame))
      if (frame.type === frameType.hello) reader.accept(64 * 1024)
    },
  })
  return { reader, frames }
}
