import { crc32 } from 'node:zlib'
import { PosthasteError } from '@posthaste/contracts'
import { frameType } from '../../src/wire/constants.ts'
import { readFailure, readGoaway } from '../../src/wire/failure.ts'
import type { Frame } from '../../src/wire/frame.ts'
import { FrameReader } from '../../src/wire/frame-reader.ts'
import { readClientHello, readServerHello } from '../../src/wire/hello.ts'
import { emptyOpening, readOpening } from '../../src/wire/opening.ts'
import { readCancelReason, readCredit, readEnd, readPing } from '../../src/wire/payloads.ts'
import type { Input } from './inputs.ts'

/** Violations that bytes by themselves can be. */
const codes: readonly string[] = ['BODY_MALFORMED', 'BODY_TOO_LARGE', 'FAILED_PRECONDITION', 'UNIMPLEMENTED']
const metadataBytesMax = 16_384
const opening = emptyOpening()

/** Reads all there is to read in a frame. */
export function readPayload(frame: Frame, sender: Input['sender']): void {
  const { bytes, start, end } = frame
  switch (frame.type) {
    case frameType.hello:
      if (sender === 'client') readClientHello(bytes, start, end)
      else readServerHello(bytes, start, end)
      break
    case frameType.open:
      readOpening({ frame, metadataBytesMax, into: opening })
      break
    case frameType.end:
      readEnd(frame, metadataBytesMax)
      break
    case frameType.error:
      readFailure(bytes, start, end)
      break
    case frameType.cancel:
      readCancelReason(frame)
      break
    case frameType.credit:
      readCredit(frame)
      break
    case frameType.ping:
      readPing(frame)
      break
    case frameType.goaway:
      readGoaway(bytes, start, end)
      break
  }
}

/** What was read, as a number, and how it ended. */
interface Reading {
  readonly digest: number
  readonly frames: number
  readonly code: string | undefined
}

function read(input: Input, chunks: readonly number[]): Reading {
  let digest = 0
  let bytes = 0
  let payload = 0
  const reader = new FrameReader(input.sender === 'client' ? 'server' : 'client', {
    frame(frame) {
      // A large piece of a message comes as its chunks do: only the whole of it is the same in all.
      payload = crc32(frame.bytes.subarray(frame.start, frame.end), frame.continued ? payload : 0)
      bytes = frame.end - frame.start + (frame.continued ? bytes : 0)
      if (frame.missing > 0) return
      digest = crc32(`${frame.type} ${frame.flags} ${frame.stream} ${bytes} ${payload}`, digest)
      readPayload(frame, input.sender)
      if (frame.type === frameType.hello) reader.accept(65_536)
    },
  })
  try {
    let at = 0
    for (const length of chunks) {
      reader.push(input.bytes.subarray(at, at + length))
      at += length
    }
    return { digest, frames: reader.frames, code: undefined }
  } catch (error) {
    if (!PosthasteError.is(error) || !codes.includes(error.code)) throw error
    return { digest, frames: reader.frames, code: error.code }
  }
}

/**
 * Reads an input frame by frame, in its chunks and whole.
 * @returns how many frames it had
 * @throws Error where that is not the same, and whatever is thrown that is no violation
 */
export function checkReading(input: Input): number {
  const inChunks = read(input, input.chunks)
  const whole = read(input, [input.bytes.length])
  if (inChunks.digest === whole.digest && inChunks.code === whole.code && inChunks.frames === whole.frames) {
    return whole.frames
  }
  throw new Error(`read in chunks as ${JSON.stringify(inChunks)}, whole as ${JSON.stringify(whole)}`)
}
