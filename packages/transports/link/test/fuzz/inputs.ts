import type { Side } from '../../src/wire/frame-rules.ts'
import type { Random } from './random.ts'
import { type HelloFigures, type Sequence, sequenceOf } from './sequences.ts'

/** What one side is given to read. */
export interface Input {
  readonly sender: Side
  readonly bytes: Buffer
  /** Lengths of the chunks it comes in. */
  readonly chunks: readonly number[]
  /** What its HELLO says, where no byte of it was changed. */
  readonly hello: HelloFigures | undefined
}

const lengthMax = 200_000
const oddBytes = [0, 1, 2, 0x10, 0x7f, 0x80, 0xfe, 0xff] as const

/** Random bytes, or a sequence that was mutated, repeated and cut short, or is as it should be. */
export function inputOf(random: Random, sender: Side): Input {
  const sequence = sequenceOf(random, sender)
  // Mostly after the HELLO, or nothing else would ever be reached.
  const from = random.once(8) ? 0 : sequence.greeted
  const bytes = mutated(random, sequence, from)
  return { sender, bytes, chunks: chunksOf(random, bytes.length), hello: from === 0 ? undefined : sequence.hello }
}

function mutated(random: Random, sequence: Sequence, from: number): Buffer {
  let { bytes } = sequence
  if (random.once(20)) return Buffer.concat([bytes.subarray(0, from), random.bytes(random.below(200))])
  for (let count = random.below(5); count > 0 && bytes.length > from; count--) {
    const at = from + random.below(bytes.length - from)
    bytes = random.once(3) ? headChanged(random, bytes, sequence.starts) : random.pick(mutations)(random, bytes, at)
  }
  return bytes.subarray(0, lengthMax)
}

// Each returns bytes that are as before in front of the offset. The arguments are many, the calls too: no objects for them.
type Mutation = (random: Random, bytes: Buffer, at: number) => Buffer

const mutations: readonly Mutation[] = [
  (random, bytes, at) => {
    bytes[at] = (bytes[at] as number) ^ (1 << random.below(8))
    return bytes
  },
  (random, bytes, at) => {
    bytes[at] = random.once(2) ? random.below(256) : random.pick(oddBytes)
    return bytes
  },
  (_, bytes, at) => bytes.subarray(0, at),
  (random, bytes, at) => Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + random.below(30))]),
  (random, bytes, at) => Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(20)), bytes.subarray(at)]),
  (random, bytes, at) => {
    const again = bytes.subarray(at, at + 1 + random.below(60))
    const times = 1 + random.below(40)
    return Buffer.concat([bytes.subarray(0, at), ...Array<Buffer>(times).fill(again), bytes.subarray(at)])
  },
  (random, bytes, at) => {
    const end = at + random.below(bytes.length - at)
    return Buffer.concat([bytes.subarray(0, at), bytes.subarray(end), bytes.subarray(at, end)])
  },
]

/** Changes a byte of a frame's header, where there is a frame. */
function headChanged(random: Random, bytes: Buffer, starts: readonly number[]): Buffer {
  if (starts.length === 0) return bytes
  const at = random.pick(starts) + random.below(9)
  if (at < bytes.length) bytes[at] = random.once(2) ? random.below(16) : random.pick(oddBytes)
  return bytes
}

function chunksOf(random: Random, length: number): readonly number[] {
  const chunks: number[] = []
  const most = random.pick([length + 1, length + 1, 20, 500])
  for (let left = length; left > 0; ) {
    // No more than a few tiny ones: the rest comes as one.
    const chunk = chunks.length > 30 ? left : Math.min(left, 1 + random.below(most))
    chunks.push(chunk)
    left -= chunk
  }
  return chunks
}
