/**
 * The id of what a handler publishes: the same for the same incoming message, group and place in the handler's order of
 * publishing, so that a repeated handling publishes under the ids of the first and whoever receives it can tell.
 */
export function derivedId(incomingId: string, group: string, ordinal: number): string {
  return uuidV5(namespace, `${incomingId}\n${group}\n${ordinal}`)
}

/**
 * A name-based UUID. Synchronous and portable, which Web Crypto's digest is not.
 * @see RFC 9562 §5.5
 */
export function uuidV5(space: Uint8Array, name: string): string {
  const words = sha1(space, encoder.encode(name))
  words[1] = (words[1]! & 0xffff0fff) | 0x5000
  words[2] = (words[2]! & 0x3fffffff) | 0x80000000
  const text = hex(words[0]!) + hex(words[1]) + hex(words[2]) + hex(words[3]!)
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20)}`
}

const encoder = new TextEncoder()

/** 2f1c0e5e-7c11-5d5c-9d3a-6b1f7f0a4e21: any fixed value serves, and it must never change. */
const namespace = Uint8Array.of(47, 28, 14, 94, 124, 17, 93, 92, 157, 58, 107, 31, 127, 10, 78, 33)

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0')

const blockBytes = 64
/** One schedule for all: hashing is synchronous, and a hash is made for each message that a handler publishes. */
const schedule = new Int32Array(80)

/** SHA-1, which UUIDv5 prescribes; it identifies here and protects nothing. The first four of the five words are used. */
function sha1(first: Uint8Array, second: Uint8Array): Int32Array {
  const length = first.length + second.length
  const padded = new Uint8Array(Math.ceil((length + 9) / blockBytes) * blockBytes)
  padded.set(first)
  padded.set(second, first.length)
  padded[length] = 0x80
  const view = new DataView(padded.buffer)
  view.setUint32(padded.length - 4, length * 8)
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0)
  for (let at = 0; at < padded.length; at += blockBytes) mixBlock(state, view, at)
  return state
}

function mixBlock(state: Int32Array, view: DataView, at: number): void {
  for (let i = 0; i < 16; i++) schedule[i] = view.getInt32(at + i * 4)
  for (let i = 16; i < 80; i++) {
    schedule[i] = rotate(schedule[i - 3]! ^ schedule[i - 8]! ^ schedule[i - 14]! ^ schedule[i - 16]!, 1)
  }
  let [a, b, c, d, e] = [state[0]!, state[1]!, state[2]!, state[3]!, state[4]!]
  for (let i = 0; i < 80; i++) {
    const round = Math.floor(i / 20)
    const mixed = round === 0 ? (b & c) | (~b & d) : round === 2 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d
    const next = (rotate(a, 5) + mixed + e + roundConstants[round]! + schedule[i]!) | 0
    e = d
    d = c
    c = rotate(b, 30)
    b = a
    a = next
  }
  state[0]! += a
  state[1]! += b
  state[2]! += c
  state[3]! += d
  state[4]! += e
}

const roundConstants = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6]

const rotate = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits))
