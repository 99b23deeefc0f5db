import { isUtf8 } from 'node:buffer'

/** What is wrong with bytes that claim to be MessagePack; the codec gives it a code. */
export class Flaw extends Error {}

/** The tokens that carry a length, or need a look. The rest are told by their first bits. */
const token = {
  nil: 0xc0,
  neverUsed: 0xc1,
  bin8: 0xc4,
  ext8: 0xc7,
  float32: 0xca,
  float64: 0xcb,
  uint8: 0xcc,
  int8: 0xd0,
  int64: 0xd3,
  fixext1: 0xd4,
  fixext16: 0xd8,
  str8: 0xd9,
  array16: 0xdc,
  map16: 0xde,
} as const

/** The type of the only extension that MessagePack itself defines; as the byte that stands there. */
const timestampType = 0xff
const timestampBytes: readonly number[] = [4, 8, 12]
const replacement = [0xef, 0xbf, 0xbd] as const
const proto = new TextEncoder().encode('__proto__')
const shortBytes = 24

/**
 * Walks a value from its first byte to its last without building it, so that whoever builds it afterwards can trust every
 * length. Costs a fraction of that building.
 *
 * @see https://github.com/msgpack/msgpack/blob/master/spec.md
 */
export class Structure {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #depthMax: number
  /** Whether the bytes are ours, so that they may be put right. */
  readonly #own: boolean
  #at = 0

  constructor(bytes: Uint8Array, of: { readonly depthMax: number; readonly own: boolean }) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#depthMax = of.depthMax
    this.#own = of.own
  }

  /** @throws Flaw when the bytes are not exactly one value, or one that the codec does not know */
  check(): void {
    this.#value(this.#depthMax)
    if (this.#at < this.#bytes.length) throw new Flaw(`bytes are left over after the value, from byte ${this.#at}`)
  }

  #value(depth: number): void {
    const first = this.#uint8()
    if (first < 0x80 || first >= 0xe0 || (first >= token.nil && first < token.bin8)) {
      if (first === token.neverUsed) throw new Flaw('there is a byte that MessagePack never uses (0xc1)')
    } else if (first < 0x90) this.#map(first & 0x0f, depth)
    else if (first < 0xa0) this.#array(first & 0x0f, depth)
    else if (first < token.nil) this.#text(first & 0x1f)
    else this.#long(first, depth)
  }

  /** What has its length, or its bytes, after the first one. */
  #long(first: number, depth: number): void {
    if (first < token.ext8) this.#skip(this.#length(first - token.bin8))
    else if (first < token.float32) this.#extension(this.#length(first - token.ext8))
    else if (first === token.float32) this.#skip(4)
    else if (first === token.float64) this.#float64()
    else if (first < token.int8) this.#skip(1 << (first - token.uint8))
    else if (first < token.fixext1) this.#skip(1 << (first - token.int8))
    else if (first <= token.fixext16) this.#extension(1 << (first - token.fixext1))
    else if (first < token.array16) this.#text(this.#length(first - token.str8))
    else if (first < token.map16) this.#array(this.#length(first - token.array16 + 1), depth)
    else this.#map(this.#length(first - token.map16 + 1), depth)
  }

  #array(length: number, depth: number): void {
    const inner = this.#inner(depth)
    for (let index = 0; index < length; index++) this.#value(inner)
  }

  #map(length: number, depth: number): void {
    const inner = this.#inner(depth)
    for (let index = 0; index < length; index++) {
      this.#key()
      this.#value(inner)
    }
  }

  #inner(depth: number): number {
    if (depth === 0) throw new Flaw(`arrays and maps are nested deeper than ${this.#depthMax}`)
    return depth - 1
  }

  /** Keys become names of properties: text, or whole numbers as other languages write them. */
  #key(): void {
    const first = this.#uint8()
    if (first >= 0xa0 && first < token.nil) this.#name(first & 0x1f)
    else if (first >= token.str8 && first < token.array16) this.#name(this.#length(first - token.str8))
    else if (first >= token.uint8 && first <= token.int64) this.#long(first, 0)
    else if (first >= 0x80 && first < 0xe0) throw new Flaw('a key of a map is neither text nor a whole number')
  }

  #name(length: number): void {
    this.#text(length)
    if (length !== proto.length) return
    const start = this.#at - length
    if (proto.every((byte, index) => this.#bytes[start + index] === byte))
      throw new Flaw('a map has the key __proto__, which no object can have as an ordinary property')
  }

  #text(length: number): void {
    const start = this.#at
    this.#skip(length)
    if (this.#isAscii(start, length)) return
    const text = this.#bytes.subarray(start, this.#at)
    if (isUtf8(text)) return
    if (!this.#own) throw new Flaw(`a text is not in UTF-8, from byte ${start}`)
    replaceLoneSurrogates(text)
  }

  /** Most text is short and ASCII, and then this is quicker than a native call. */
  #isAscii(start: number, length: number): boolean {
    if (length > shortBytes) return false
    let or = 0
    for (let at = start; at < start + length; at++) or |= this.#bytes[at]!
    return or < 0x80
  }

  #extension(length: number): void {
    const type = this.#uint8()
    this.#skip(length)
    if (type === timestampType && timestampBytes.includes(length)) return
    if (this.#own) throw new Flaw('there is something in it that is no plain data, such as a Set or an invalid Date')
    throw new Flaw(`there is an extension that this codec does not know (type ${(type << 24) >> 24})`)
  }

  /** Ours writes whole numbers beyond 32 bits as floats, which readers with types of their own refuse for a whole number. */
  #float64(): void {
    const start = this.#at
    this.#skip(8)
    if (!this.#own) return
    const value = this.#view.getFloat64(start)
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) return
    this.#bytes[start - 1] = token.int64
    this.#view.setBigInt64(start, BigInt(value))
  }

  /** A length of 1, 2 or 4 bytes. */
  #length(power: number): number {
    const start = this.#at
    this.#skip(1 << power)
    if (power === 0) return this.#bytes[start]!
    return power === 1 ? this.#view.getUint16(start) : this.#view.getUint32(start)
  }

  #uint8(): number {
    const start = this.#at
    this.#skip(1)
    return this.#bytes[start]!
  }

  #skip(length: number): void {
    if (length > this.#bytes.length - this.#at) throw new Flaw('the bytes end in the middle of a value')
    this.#at += length
  }
}

/** As `TextEncoder` does: half of a surrogate pair, which no UTF-8 has, becomes U+FFFD, and both take three bytes. */
function replaceLoneSurrogates(text: Uint8Array): void {
  for (let at = 0; at < text.length - 2; at++) {
    if (text[at] === 0xed && text[at + 1]! >= 0xa0) text.set(replacement, at)
  }
}
