import { PosthasteError } from '@posthaste/contracts'
import { ChunkPool } from '../../src/wire/batch.ts'
import { frameFlag, headerBytes, noTimeout, unnumberedMethod } from '../../src/wire/constants.ts'
import { encodeFailure, encodeGoaway } from '../../src/wire/failure.ts'
import type { Side } from '../../src/wire/frame-rules.ts'
import { FrameWriter } from '../../src/wire/frame-writer.ts'
import { noMetadata } from '../../src/wire/metadata.ts'
import type { Random } from './random.ts'

/** What one side said, as it would be well formed: mostly in order, with a slip here and there. */
export interface Sequence {
  readonly bytes: Buffer
  /** Where the frames after HELLO begin. */
  readonly starts: readonly number[]
  /** Offset after HELLO. */
  readonly greeted: number
  readonly hello: HelloFigures
}

/** What the HELLO of a sequence says that it takes. */
export interface HelloFigures {
  readonly frameBytesMax: number
  readonly streamWindow: number
  readonly connectionWindow: number
}

const framesMax = 14
const { last, compressed, more, ack } = frameFlag
const failure = new PosthasteError('NOT_FOUND', 'no such thing', { details: { at: 7 } })
const bodySizes = [0, 0, 1, 5, 40, 63, 64, 65, 300, 300, 5000, 20_000] as const
const windows = [16_384, 65_536, 262_144, 4_194_304] as const
const metadatas = [noMetadata, noMetadata, { ':id': 'r-1' }, { a: '', 'x-long': 'v'.repeat(300) }] as const
const methods = [
  'fuzz/echo',
  'fuzz/hold',
  'fuzz/flood',
  'fuzz/fail',
  'fuzz/throw',
  'fuzz/silent',
  'fuzz/early',
] as const
const body = Buffer.alloc(20_000, 'link')

/** One writer for all: what is written leaves in the same call. */
const writer = new FrameWriter(new ChunkPool())

/** A sequence of up to 14 frames after the HELLO. */
export function sequenceOf(random: Random, sender: Side): Sequence {
  const hello = {
    frameBytesMax: random.pick([16_384, 65_536, 0xff_ffff]),
    streamWindow: random.pick(windows),
    connectionWindow: random.pick(windows),
  }
  if (sender === 'client') writer.preface()
  writer.hello(Buffer.from(JSON.stringify({ ...(sender === 'client' ? clientSays : serverSays), ...hello })))
  const frames: Buffer[] = [Buffer.concat(writer.take())]
  const greeted = frames[0]?.length ?? 0
  const starts: number[] = []
  const speaker: Speaker = { random, sender, opened: sender === 'client' ? 0 : 3, named: 0 }
  let length = greeted
  for (let count = random.below(framesMax); count > 0; count--) {
    const frame = random.once(20) ? unknown(random) : spoken(speaker)
    starts.push(length)
    length += frame.length
    frames.push(frame)
  }
  return { bytes: Buffer.concat(frames, length), starts, greeted, hello }
}

/** A frame of a known type. */
function spoken(speaker: Speaker): Buffer {
  speak(speaker)
  const pieces = writer.take()
  return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces)
}

const clientSays = { versions: [1], agent: 'fuzz', compression: ['gzip'] }
const serverSays = { version: 1, agent: 'fuzz', codecs: ['application/json'] }

interface Speaker {
  readonly random: Random
  readonly sender: Side
  opened: number
  named: number
}

function speak(speaker: Speaker): void {
  const { random, sender } = speaker
  const dice = random.below(100)
  if (dice < 32 && sender === 'client') open(speaker)
  else if (dice < 62) message(speaker)
  else if (dice < 70) writer.end(streamOf(speaker), random.pick(metadatas))
  else if (dice < 79 && sender === 'client') writer.cancel(streamOf(speaker), random.below(3))
  else if (dice < 79) error(speaker)
  else if (dice < 91) credit(speaker)
  else if (dice < 97) writer.ping(random.once(3) ? ack : 0, body.subarray(0, 8))
  else goaway(speaker)
}

/** Mostly a stream that there is, or was. */
function streamOf({ random, opened }: Speaker): number {
  const dice = random.below(20)
  if (dice === 0) return 1 + random.below(0x7fff_fffe)
  return dice === 1 || opened === 0 ? opened + 1 : 1 + random.below(opened)
}

function bodyOf(random: Random): Buffer {
  const start = random.below(4)
  return body.subarray(start, start + random.pick(bodySizes))
}

function messageFlags(random: Random, bytes: Buffer): number {
  if (bytes.length > 0 && random.once(6)) return more
  return (random.once(2) ? last : 0) | (random.once(12) ? compressed : 0)
}

function open(speaker: Speaker): void {
  const { random } = speaker
  const bytes = random.once(5) ? undefined : bodyOf(random)
  const flags = bytes === undefined ? (random.once(2) ? last : 0) : messageFlags(random, bytes)
  const isNew = speaker.named === 0 || random.once(3)
  const method = random.once(8) ? unnumberedMethod : isNew ? speaker.named++ : random.below(speaker.named)
  writer.open(random.once(30) ? speaker.opened : ++speaker.opened, flags, {
    method,
    name: isNew || method === unnumberedMethod ? random.pick(methods) : undefined,
    timeoutMs: random.once(2) ? undefined : random.below(noTimeout),
    codec: random.once(20) ? random.below(256) : 0,
    metadata: random.pick(metadatas),
    body: bytes,
  })
}

function message(speaker: Speaker): void {
  const bytes = bodyOf(speaker.random)
  writer.message(streamOf(speaker), messageFlags(speaker.random, bytes), bytes)
}

function error(speaker: Speaker): void {
  writer.error(streamOf(speaker), speaker.random.below(2), encodeFailure(failure, headerBytes * 2000))
}

function credit(speaker: Speaker): void {
  const { random } = speaker
  const bytes = random.once(10) ? 0x7fff_ffff : 1 + random.below(300_000)
  writer.credit(random.once(2) ? 0 : streamOf(speaker), bytes)
}

function goaway({ random, opened }: Speaker): void {
  writer.goaway(encodeGoaway({ last: random.below(opened + 2), error: random.once(2) ? failure : undefined }))
}

/** A frame of a type of a later version. */
function unknown(random: Random): Buffer {
  const length = random.below(20)
  const frame = random.bytes(headerBytes + length)
  frame.writeUIntBE(length, 0, 3)
  frame[3] = 9 + random.below(247)
  if (random.once(2)) frame[4] = frameFlag.skippable
  frame.writeUInt32BE(random.below(3), 5)
  return frame
}
